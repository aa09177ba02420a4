// What nearly every test includes. Compiled once (:gtest_precompiled), it saves half of a test's
// compilation.
#ifdef __clang__
#error "clang takes no part in this: build with --config=clang"
#endif

// On Windows it has to come before the system's headers. Elsewhere it is empty.
#include "util/testing/posix_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>
