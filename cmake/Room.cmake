# varve_room(NAME DEPS target...): the library of one room, made of every .cc file in its folder.
function(varve_room NAME)
  cmake_parse_arguments(ROOM "" "" "DEPS" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT SOURCES)  # a room of headers only
    set(SOURCES ${CMAKE_CURRENT_BINARY_DIR}/empty.cc)
    file(TOUCH ${SOURCES})
  endif()
  add_library(varve_${NAME} STATIC ${SOURCES})
  add_library(varve::${NAME} ALIAS varve_${NAME})
  target_include_directories(varve_${NAME} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:include/varve>)
  target_compile_features(varve_${NAME} PUBLIC cxx_std_20)
  target_link_libraries(varve_${NAME} PUBLIC ${ROOM_DEPS})
endfunction()

# varve_program(NAME SOURCES file... DEPS target...): an executable in the build folder's root.
# Programs take their memory from jemalloc, except under a sanitizer, which brings its own allocator.
function(varve_program NAME)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} ${PROGRAM_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${PROGRAM_DEPS})
  if(NOT VARVE_SANITIZE)
    target_link_libraries(${NAME} PRIVATE PkgConfig::JEMALLOC)
  endif()
endfunction()

# varve_test(NAME DEPS target...): every *_test.cc of the current folder in one test program.
function(varve_test NAME)
  cmake_parse_arguments(TEST "" "" "DEPS" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT SOURCES)
    return()
  endif()
  add_executable(${NAME} ${SOURCES})
  target_link_libraries(${NAME} PRIVATE ${TEST_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${NAME} PRIVATE VARVE_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
  add_test(NAME ${NAME} COMMAND ${NAME})
endfunction()
