#!/bin/bash
# Installs the package, then builds the examples with it and runs the one that needs no server
# (tests/e2e/ runs the other).
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
for example in embedded client; do
  cmake -S "$source/examples/$example" -B "$here/$example" -G Ninja \
    -DCMAKE_PREFIX_PATH="$here/prefix" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" >/dev/null
  cmake --build "$here/$example"
done

rm -rf "$here/data"
"$here/embedded/embedded" "$here/data" | tee "$here/output"
diff "$source/examples/embedded/expected_output" "$here/output"
echo "once more, on the database that is there now"
"$here/embedded/embedded" "$here/data" | diff "$source/examples/embedded/expected_output" -
