# Finds the CUDA compiler: cuda_version and cuda_architectures, or an empty cuda_version where there is none to use.

set(FULLGRAD_CUDA AUTO CACHE STRING "Build the CUDA kernels: AUTO (where there is a compiler for them), ON or OFF")
set_property(CACHE FULLGRAD_CUDA PROPERTY STRINGS AUTO ON OFF)
set(cuda_version "")
set(cuda_architectures "")
if(FULLGRAD_CUDA STREQUAL "OFF")
  message(STATUS "CUDA: off (FULLGRAD_CUDA=OFF)")
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(nvcc nvcc PATHS /usr/local/cuda/bin /opt/cuda/bin)
  if(NOT nvcc)
    # That of the PyPI packages, in this Python's environment or in the one that pip builds in.
    execute_process(COMMAND "${Python_EXECUTABLE}" -c "
import pathlib, sys, sysconfig
for folder in [*sys.path, sysconfig.get_path('platlib')]:
    for nvcc in pathlib.Path(folder).glob('nvidia/cu1*/bin/nvcc'):
        sys.exit(print(nvcc, end=''))
" OUTPUT_VARIABLE nvcc)
    # Its libraries do not lie where it looks for them.
    string(REPLACE "/bin/nvcc" "/lib" packaged_libraries "${nvcc}")
    set(ENV{CUDAFLAGS} "-L${packaged_libraries} $ENV{CUDAFLAGS}")
  endif()
  if(nvcc)
    set(ENV{CUDACXX} "${nvcc}")
  endif()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(FULLGRAD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FULLGRAD_CUDA=ON, and no working CUDA compiler was found; put nvcc (12.0 or newer) on the PATH, "
                        "set CUDACXX, or: pip install 'cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*'")
  endif()
  message(STATUS "CUDA: no working compiler found, so the GPU kernel is not built")
  return()
endif()

execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --version OUTPUT_VARIABLE nvcc_says)
string(REGEX MATCH "V([0-9]+\\.[0-9]+\\.[0-9]+)" _ "${nvcc_says}")
set(cuda_version "${CMAKE_MATCH_1}")
if(cuda_version VERSION_LESS 12.0)
  if(FULLGRAD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FULLGRAD_CUDA=ON needs nvcc 12.0 or newer, got ${cuda_version} (${CMAKE_CUDA_COMPILER})")
  endif()
  message(STATUS "CUDA: nvcc ${cuda_version} is older than 12.0, so the GPU kernel is not built")
  set(cuda_version "")
  return()
endif()

# Machine code for each generation, and PTX for those to come.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  if(cuda_version VERSION_LESS 12.8)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90 100-real 120-real)
  endif()
endif()
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # Linked by name, so that it comes where it must.
enable_language(CUDA)
if(cuda_version VERSION_GREATER_EQUAL 12.8)
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size>")
endif()

# Not CUDAToolkit, which asks for more than the PyPI packages have.
find_library(cudart_static libcudart_static.a REQUIRED
             HINTS ${CMAKE_CUDA_HOST_IMPLICIT_LINK_DIRECTORIES} ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} "${packaged_libraries}")
add_library(cudart INTERFACE)
target_include_directories(cudart SYSTEM INTERFACE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_link_libraries(cudart INTERFACE "${cudart_static}" ${CMAKE_DL_LIBS} rt Threads::Threads)

set(cuda_architectures ${CMAKE_CUDA_ARCHITECTURES})
list(TRANSFORM cuda_architectures REPLACE "-.*" "")
string(REPLACE ";" " " cuda_architectures "${cuda_architectures}")
message(STATUS "CUDA ${cuda_version} (${CMAKE_CUDA_COMPILER}) for ${cuda_architectures}")
