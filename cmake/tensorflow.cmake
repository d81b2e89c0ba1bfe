# Finds TensorFlow: tensorflow_version, tensorflow_minor, tensorflow_include, tensorflow_lib, tensorflow_flags.

# -I looks past the path that an isolated pip build sets, at the environment that the package is installed into; where
# that has no TensorFlow, the build environment has it.
set(describe_tensorflow "
import tensorflow as tf
print(tf.__version__, tf.sysconfig.get_include(), tf.sysconfig.get_lib(), *tf.sysconfig.get_compile_flags(), sep=';')
")
foreach(isolation -I -B)
  execute_process(COMMAND "${Python_EXECUTABLE}" ${isolation} -c "${describe_tensorflow}"
                  OUTPUT_VARIABLE tensorflow_flags ERROR_VARIABLE tensorflow_error RESULT_VARIABLE tensorflow_missing
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT tensorflow_missing)
    break()
  endif()
endforeach()
if(tensorflow_missing)
  message(FATAL_ERROR "TensorFlow cannot be imported by ${Python_EXECUTABLE}; "
                      "install it (pip install tensorflow-cpu) and build again.\n${tensorflow_error}")
endif()
list(POP_FRONT tensorflow_flags tensorflow_version tensorflow_include tensorflow_lib)
list(FILTER tensorflow_flags EXCLUDE REGEX "^-I|^--std")
string(REGEX MATCH "^[0-9]+\\.([0-9]+)" _ "${tensorflow_version}")
set(tensorflow_minor ${CMAKE_MATCH_1})
message(STATUS "TensorFlow ${tensorflow_version} in ${tensorflow_lib}")
