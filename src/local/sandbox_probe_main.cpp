/// Runs inside the sandbox in place of a runner and tries what a runner that was taken over
/// would try. Prints one line per attempt: its name and "done", or the errno it met.
///
/// Arguments: NAME=VALUE facts about the outside that it cannot know by itself.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

std::map<std::string, std::string> facts;

void say(const char* attempt, bool done) {
  const char* reason = done ? "done" : strerrorname_np(errno);
  std::printf("%s %s\n", attempt, reason == nullptr ? "unknown" : reason);
}

void say(const char* fact, long long value) {
  std::printf("%s %lld\n", fact, value);
}

void try_network() {
  const int port = std::atoi(facts["port"].c_str());
  const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  say("tcp_socket", tcp >= 0);
  say("tcp_connect",
      tcp >= 0 && ::connect(tcp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  say("udp_socket", ::socket(AF_INET, SOCK_DGRAM, 0) >= 0);
  say("netlink_socket", ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0);

  const int local = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un other{};
  other.sun_family = AF_UNIX;
  std::strncpy(other.sun_path, facts["socket"].c_str(), sizeof other.sun_path - 1);
  say("foreign_unix_connect",
      local >= 0 && ::connect(local, reinterpret_cast<sockaddr*>(&other), sizeof other) == 0);
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  std::strcpy(own.sun_path, "x.sock");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  say("own_socket", listener >= 0 &&
                        ::bind(listener, reinterpret_cast<sockaddr*>(&own), sizeof own) == 0 &&
                        ::listen(listener, 1) == 0);
}

void try_files() {
  say("read_shadow", ::open("/etc/shadow", O_RDONLY) >= 0);
  say("read_passwd", ::open("/etc/passwd", O_RDONLY) >= 0);
  say("read_outside", ::open(facts["outside"].c_str(), O_RDONLY) >= 0);
  say("write_outside", ::open((facts["outside"] + ".new").c_str(), O_WRONLY | O_CREAT, 0600) >= 0);
  say("write_tmp", ::open("/tmp/claviger-sandbox-probe", O_WRONLY | O_CREAT, 0600) >= 0);
  say("write_own_folder", ::open("grown", O_WRONLY | O_CREAT, 0600) >= 0);
  say("read_own_folder", ::open("token", O_RDONLY) >= 0);
  char byte = 0;
  const int model = ::open("model.gguf", O_RDONLY);
  say("read_model", model >= 0 && ::read(model, &byte, 1) == 1);
  say("write_model", ::open("model.gguf", O_WRONLY) >= 0);
}

/// Before anything else opens a file.
void count_what_was_inherited() {
  int open_files = 0;
  for (int file = 0; file < 20'000; ++file) open_files += ::fcntl(file, F_GETFD) >= 0 ? 1 : 0;
  say("open_files", static_cast<long long>(open_files));
  say("environment", ::getenv("CLAVIGER_TEST_PLANTED") != nullptr);
}

void try_processes() {
  const auto server = static_cast<pid_t>(std::atoi(facts["server"].c_str()));
  say("ptrace_server", ::ptrace(PTRACE_SEIZE, server, nullptr, nullptr) == 0);
  say("signal_server", ::kill(server, 0) == 0);
  say("thread_signal_server", ::syscall(SYS_tgkill, server, server, 0) == 0);
  say("signal_self", ::kill(::getpid(), 0) == 0);
  const std::string memory = "/proc/" + facts["server"] + "/mem";
  say("server_memory", ::open(memory.c_str(), O_RDONLY) >= 0);
  say("fork", [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    return child > 0 && ::waitpid(child, nullptr, 0) == child;
  }());
  std::thread([] { say("thread", true); }).join();
}

void try_exec() {
  char* const none[] = {nullptr};
  char shell[] = "sh";
  char* const arguments[] = {shell, nullptr};
  ::execve("/bin/sh", arguments, none);
  say("exec_shell", false);
  const int file = ::open(facts["loader"].c_str(), O_RDONLY);
  ::syscall(SYS_execveat, file, "", arguments, none, AT_EMPTY_PATH);
  say("exec_by_file", false);
}

void try_privileges() {
  say("user", static_cast<long long>(::getuid()));
  say("setuid_root", ::setuid(0) == 0 && facts["was_root"] == "1");
  say("raise_priority", ::setpriority(PRIO_PROCESS, 0, -5) == 0);
  say("nice", static_cast<long long>(::getpriority(PRIO_PROCESS, 0)));
  rlimit limit{1 << 20, 1 << 20};
  say("raise_files", ::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  ::getrlimit(RLIMIT_CORE, &limit);
  say("core_bytes", static_cast<long long>(limit.rlim_cur));
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:") || line.starts_with("CapBnd:") ||
        line.starts_with("NoNewPrivs:")) {
      line[line.find(':')] = ' ';
      std::printf("%s\n", line.c_str());
    }
  }
  // Last: it would bring capabilities over a namespace of its own.
  say("namespace", ::unshare(CLONE_NEWUSER) == 0);
}

void try_memory() {
  const std::size_t bytes = std::strtoull(facts["memory"].c_str(), nullptr, 10);
  void* const own =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("much_memory", own != MAP_FAILED);
  void* const shared = ::mmap(nullptr, 64 * bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  say("much_shared_memory", shared != MAP_FAILED);
}

void try_many_threads() {
  const int wanted = std::atoi(facts["threads"].c_str());
  std::vector<pthread_t> threads;
  static volatile bool go_on = true;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  int error = 0;
  for (int i = 0; i < wanted && error == 0; ++i) {
    pthread_t thread{};
    error = pthread_create(
        &thread, &small,
        [](void*) -> void* {
          while (go_on) ::sched_yield();
          return nullptr;
        },
        nullptr);
    if (error == 0) threads.push_back(thread);
  }
  go_on = false;
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  errno = error;
  say("many_threads", error == 0);
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string fact = arguments[i];
    const auto split = fact.find('=');
    if (split != std::string::npos) facts[fact.substr(0, split)] = fact.substr(split + 1);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);
  count_what_was_inherited();
  try_network();
  try_files();
  try_processes();
  try_privileges();
  try_memory();
  try_many_threads();
  if (facts.contains("stay")) {
    std::printf("staying 1\n");
    for (;;) ::poll(nullptr, 0, 1000);
  }
  try_exec();
  return 0;
}
