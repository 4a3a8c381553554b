// Under the thread sanitizer only: tells it what absl::Mutex and absl::CondVar order.
//
// The system's Abseil is built without the sanitizer, which would therefore take everything that an
// absl::Mutex protects for a race. The definitions here come before those of the shared library;
// each calls the library's and adds the edge: what happened before an unlock happens before the
// next lock. (The conditions of Mutex::Await run on other threads inside the library: use CondVar.)
#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

void* LibraryFunction(const char* name) {
  void* const function = dlsym(RTLD_NEXT, name);
  if (function == nullptr) {
    std::fprintf(stderr, "thread sanitizer: %s is not in the system's Abseil\n", name);
    std::abort();
  }
  return function;
}

}  // namespace

// The function of the library that is called `name`, called with the arguments that follow.
#define VARVE_CALL_LIBRARY(name, type, ...)                                              \
  [&] {                                                                                  \
    using Function = type;                                                               \
    static Function* const library = reinterpret_cast<Function*>(LibraryFunction(name)); \
    return library(__VA_ARGS__);                                                         \
  }()

#define VARVE_WRAP_LOCK(function, name)            \
  extern "C" void function(void* mutex) asm(name); \
  extern "C" void function(void* mutex) {          \
    VARVE_CALL_LIBRARY(name, void(void*), mutex);  \
    __tsan_acquire(mutex);                         \
  }

#define VARVE_WRAP_TRY_LOCK(function, name)                           \
  extern "C" bool function(void* mutex) asm(name);                    \
  extern "C" bool function(void* mutex) {                             \
    const bool locked = VARVE_CALL_LIBRARY(name, bool(void*), mutex); \
    if (locked) __tsan_acquire(mutex);                                \
    return locked;                                                    \
  }

#define VARVE_WRAP_UNLOCK(function, name)          \
  extern "C" void function(void* mutex) asm(name); \
  extern "C" void function(void* mutex) {          \
    __tsan_release(mutex);                         \
    VARVE_CALL_LIBRARY(name, void(void*), mutex);  \
  }

VARVE_WRAP_LOCK(VarveMutexLock, "_ZN4absl7debian35Mutex4LockEv")
VARVE_WRAP_LOCK(VarveMutexReaderLock, "_ZN4absl7debian35Mutex10ReaderLockEv")
VARVE_WRAP_TRY_LOCK(VarveMutexTryLock, "_ZN4absl7debian35Mutex7TryLockEv")
VARVE_WRAP_TRY_LOCK(VarveMutexReaderTryLock, "_ZN4absl7debian35Mutex13ReaderTryLockEv")
VARVE_WRAP_UNLOCK(VarveMutexUnlock, "_ZN4absl7debian35Mutex6UnlockEv")
VARVE_WRAP_UNLOCK(VarveMutexReaderUnlock, "_ZN4absl7debian35Mutex12ReaderUnlockEv")

extern "C" void VarveCondVarWait(void* condition,
                                 void* mutex) asm("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
extern "C" void VarveCondVarWait(void* condition, void* mutex) {
  __tsan_release(mutex);
  VARVE_CALL_LIBRARY("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE", void(void*, void*), condition,
                     mutex);
  __tsan_acquire(mutex);
}

#endif  // __SANITIZE_THREAD__
