# One toolchain for build, sanitizers, fuzzing, tidy and format: Clang 19 with lld.
# g++ 12 destroys aggregate temporaries twice inside co_await and stops with an
# internal error on other forms of it, so it is refused rather than trusted.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines. Use Clang 19: "
    "apt-get install clang-19 lld-19, then cmake --preset dev.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(CLAVIGER_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined or thread")
option(CLAVIGER_FUZZ "Build the fuzz targets (needs Clang)" OFF)
option(CLAVIGER_TESTS "Build tests" ON)
option(CLAVIGER_BENCH "Build benchmarks" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -Wno-missing-designated-field-initializers -Werror=return-type -Werror=unused-result -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()
add_compile_options(-fstack-protector-strong)
add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
add_link_options(-Wl,-z,relro,-z,now)

if(CLAVIGER_SANITIZE)
  add_compile_options(-fsanitize=${CLAVIGER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CLAVIGER_SANITIZE})
endif()
if(CLAVIGER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

add_compile_definitions(CLAVIGER_VERSION="${PROJECT_VERSION}")
