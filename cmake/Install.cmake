# The engine and the client as a package for others:
#
#   find_package(varve REQUIRED)
#   target_link_libraries(program PRIVATE varve::engine)    # or varve::client
#
# and #include "engine/db.h" or "client/client.h". examples/embedded/ and examples/client/ are such
# programs.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/varve)

foreach(ROOM base io wal memtable sstable compaction engine item protocol client)
  set_target_properties(varve_${ROOM} PROPERTIES EXPORT_NAME ${ROOM})
  install(TARGETS varve_${ROOM} EXPORT varveTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${ROOM} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/varve
          FILES_MATCHING PATTERN "*.h")
endforeach()
install(EXPORT varveTargets NAMESPACE varve:: DESTINATION ${PACKAGE_DIR})

configure_package_config_file(cmake/varveConfig.cmake.in varveConfig.cmake
                              INSTALL_DESTINATION ${PACKAGE_DIR})
write_basic_package_version_file(varveConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/varveConfig.cmake ${CMAKE_BINARY_DIR}/varveConfigVersion.cmake
        DESTINATION ${PACKAGE_DIR})
