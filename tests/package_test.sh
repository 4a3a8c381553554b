#!/bin/bash
# Installs the package, then builds and runs the example of an embedding program with it.
#
#   package_test.sh BUILD_DIR
#
# What it makes stays in BUILD_DIR/package_test, so that the next run builds only what changed.
set -euo pipefail

build=$1
source=$(cd "$(dirname "$0")/.." && pwd)
here=$build/package_test

cmake --install "$build" --prefix "$here/prefix" >/dev/null
launcher=$(command -v ccache || true)
cmake -S "$source/examples/embedded" -B "$here/build" -G Ninja -DCMAKE_PREFIX_PATH="$here/prefix" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" >/dev/null
cmake --build "$here/build"

rm -rf "$here/data"
"$here/build/embedded" "$here/data" | tee "$here/output"
diff "$source/examples/embedded/expected_output" "$here/output"
echo "once more, on the database that is there now"
"$here/build/embedded" "$here/data" | diff "$source/examples/embedded/expected_output" -
