# One interface target carries the language level and the warnings to every room.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# The hot loops are written so that the compiler can vectorise them; -O3 is what turns that on in GCC 12.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG" CACHE STRING "Release flags")

# ccache keeps objects made with a precompiled header only when told that the header's defines are all that counts.
find_program(HMMSCOPE_CCACHE ccache)
if(HMMSCOPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "${HMMSCOPE_CCACHE}")
endif()

add_library(hmmscope_compiler INTERFACE)
target_compile_features(hmmscope_compiler INTERFACE cxx_std_20)
target_include_directories(hmmscope_compiler INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_options(hmmscope_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wimplicit-fallthrough $<$<BOOL:${HMMSCOPE_WERROR}>:-Werror>
  # GCC 12 sees overlapping copies and overflows in plain std::string and std::vector code once it inlines at -O3
  # (bugs 105329, 105651, 107852).
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>")

# A unity build (what the presets for building everything once use) puts a dozen files into one compilation; names of
# different files then meet, which only dev and ci-cli, file by file, can tell from shadowing.
if(CMAKE_UNITY_BUILD)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
  target_compile_options(hmmscope_compiler INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

set(HMMSCOPE_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
if(HMMSCOPE_SANITIZE)
  add_compile_options(-fsanitize=${HMMSCOPE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HMMSCOPE_SANITIZE})
  # GCC 12 warns of std::variant and std::regex members in instrumented code that are set on every path.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
if(HMMSCOPE_FUZZ)  # every room is instrumented; the fuzz programs themselves add libFuzzer's main
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
option(HMMSCOPE_COVERAGE "Instrument for gcov" OFF)
if(HMMSCOPE_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()

# Reading the standard library again in every file is half of a build's time: its headers are compiled once and shared.
# Only they: templates that a bigger header leaves pending (the JSON library, fmt) would be instantiated in every file. Files
# still include what they use; preset lone proves it by doing without.
set(HMMSCOPE_PRECOMPILED
  <algorithm> <array> <bit> <charconv> <cstdint> <cstring> <deque> <functional> <limits> <map> <memory> <mutex> <optional>
  <set> <span> <string> <string_view> <tuple> <unordered_map> <unordered_set> <utility> <variant> <vector>
  <tl/expected.hpp>)

# hmmscope_precompiled(NAME HEADERS... LINK LIBRARIES...): a target whose precompiled headers others share.
function(hmmscope_precompiled name)
  cmake_parse_arguments(PCH "" "" "LINK" ${ARGN})
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "")
  add_library(${name} OBJECT "${source}")
  target_link_libraries(${name} PRIVATE hmmscope_compiler ${PCH_LINK})
  target_precompile_headers(${name} PRIVATE ${HMMSCOPE_PRECOMPILED} ${PCH_UNPARSED_ARGUMENTS})
endfunction()

# hmmscope_room(NAME DIRS... LINK ... [PRECOMPILED TARGET]): a static library from the .cpp files directly inside DIRS, with
# the precompiled headers of TARGET (hmmscope_headers unless said otherwise).
function(hmmscope_room name)
  cmake_parse_arguments(ROOM "" "PRECOMPILED" "DIRS;LINK" ${ARGN})
  if(NOT ROOM_PRECOMPILED)
    set(ROOM_PRECOMPILED hmmscope_headers)
  endif()
  set(sources)
  foreach(dir IN LISTS ROOM_DIRS)
    file(GLOB found CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.h")
    list(APPEND sources ${found})
  endforeach()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PUBLIC hmmscope_compiler ${ROOM_LINK})
  target_precompile_headers(${name} REUSE_FROM ${ROOM_PRECOMPILED})
endfunction()

# hmmscope_embed(TARGET FILE NAME): compiles FILE's text into TARGET as `const char NAME[]` of namespace hmmscope::embedded.
function(hmmscope_embed target file name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  file(READ "${file}" text)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
    "namespace hmmscope::embedded {\nextern const char @name@[];\nconst char @name@[] = R\"embedded(@text@)embedded\";\n}\n")
  target_sources(${target} PRIVATE "${source}")
endfunction()
