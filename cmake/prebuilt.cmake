# Takes the core as it was built before: core_shared, and cuda_version, which the library itself tells. With
# FULLGRAD_TENSORFLOW=OFF the op libraries beside it are installed too.

add_library(core_shared SHARED IMPORTED)
set_target_properties(core_shared PROPERTIES IMPORTED_LOCATION "${FULLGRAD_CORE}")
target_include_directories(core_shared INTERFACE "${CMAKE_SOURCE_DIR}/csrc")
execute_process(COMMAND "${Python_EXECUTABLE}" -c "
import ctypes, json, sys
build = ctypes.CDLL(sys.argv[1]).keras_fullgrad_build
build.restype = ctypes.c_char_p
print(json.loads(build())['cuda_version'] or '')
" "${FULLGRAD_CORE}" OUTPUT_VARIABLE cuda_version OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "The core of ${FULLGRAD_CORE}, CUDA ${cuda_version}")
set(built "${FULLGRAD_CORE}")
if(NOT FULLGRAD_TENSORFLOW)
  get_filename_component(folder "${FULLGRAD_CORE}" DIRECTORY)
  file(GLOB ops "${folder}/libkeras_fullgrad_ops_tf*.so")
  list(APPEND built ${ops})
endif()
install(FILES ${built} DESTINATION keras_fullgrad)
