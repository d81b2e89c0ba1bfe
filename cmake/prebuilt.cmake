# Takes the core as it was built before: core_shared, and cuda_version, which the library itself tells.

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
install(FILES "${FULLGRAD_CORE}" DESTINATION keras_fullgrad)
