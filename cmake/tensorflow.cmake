# Finds the TensorFlow to build for: tensorflows, a list of `minor version=folder`, and tensorflow_definitions.
# FULLGRAD_TENSORFLOWS names several; where it is not set, it is the one that is installed.

set(FULLGRAD_TENSORFLOWS "" CACHE STRING "TensorFlows to build the op for, as 2.20=FOLDER;2.21=FOLDER, of unpacked wheels")

# What the wheels of PyPI are compiled with.
set(tensorflow_definitions _GLIBCXX_USE_CXX11_ABI=1 EIGEN_MAX_ALIGN_BYTES=64)
set(tensorflows ${FULLGRAD_TENSORFLOWS})
if(tensorflows)
  message(STATUS "TensorFlow ${tensorflows}")
  return()
endif()

# -I looks past the path that an isolated pip build sets, at the environment that the package is installed into; where
# that has no TensorFlow, the build environment has it.
set(describe_tensorflow "
import tensorflow as tf
print(tf.__version__, tf.sysconfig.get_lib(), *tf.sysconfig.get_compile_flags(), sep=';')
")
foreach(isolation -I -B)
  execute_process(COMMAND "${Python_EXECUTABLE}" ${isolation} -c "${describe_tensorflow}"
                  OUTPUT_VARIABLE flags ERROR_VARIABLE tensorflow_error RESULT_VARIABLE tensorflow_missing
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT tensorflow_missing)
    break()
  endif()
endforeach()
if(tensorflow_missing)
  message(FATAL_ERROR "TensorFlow cannot be imported by ${Python_EXECUTABLE}; "
                      "install it (pip install tensorflow-cpu) and build again.\n${tensorflow_error}")
endif()
list(POP_FRONT flags version folder)
list(FILTER flags INCLUDE REGEX "^-D")
list(TRANSFORM flags REPLACE "^-D" "")
set(tensorflow_definitions ${flags})
string(REGEX MATCH "^[0-9]+\\.[0-9]+" minor "${version}")
set(tensorflows "${minor}=${folder}")
message(STATUS "TensorFlow ${version} in ${folder}")
