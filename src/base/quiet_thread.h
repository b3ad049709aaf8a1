#pragma once

/// A thread of our own. It takes no signals: those are for whoever handles them.

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace claviger {
inline namespace base {

/// `name` is what `top -H` shows; at most 15 characters.
template <typename Work>
std::thread quiet_thread(const char* name, Work work) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(work));
  pthread_setname_np(thread.native_handle(), name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace base
}  // namespace claviger
