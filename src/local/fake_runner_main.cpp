/// Stands in for llama-server in tests: the same arguments, the same socket, token and health,
/// no model. How it misbehaves is in the name it is given with --alias:
///   fails      prints a reason and ends before it listens
///   loads      answers 503 to /health until the end of days
///   stubborn   does not end on SIGTERM
///   chatty     prints a request's body, as a runner may that is asked for more than we ask
/// and in what it is asked for: POST /crash ends it by SIGABRT, POST /hang silences it.

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::string host;
std::string alias;
std::string token;
std::atomic<bool> is_silent{false};

void answer(int connection, std::string_view status, const std::string& body) {
  std::string text = "HTTP/1.1 " + std::string(status) +
                     "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                     "\r\n\r\n" + body;
  (void)!::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
}

void serve(int connection) {
  std::string request;
  char bytes[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(connection, bytes, sizeof bytes, 0);
    if (got <= 0) break;
    request.append(bytes, static_cast<std::size_t>(got));
  }
  while (is_silent) ::sleep(1);
  if (request.starts_with("GET /health ")) {
    answer(connection, alias == "loads" ? "503 Service Unavailable" : "200 OK", "{}");
  } else if (request.find("Authorization: Bearer " + token + "\r\n") == std::string::npos) {
    answer(connection, "401 Unauthorized", "no token");
  } else if (request.starts_with("POST /crash ")) {
    std::printf("GGML_ASSERT(tensor) failed\nprompt: PLANTED\n");
    std::fflush(stdout);
    std::abort();
  } else if (request.starts_with("POST /hang ")) {
    is_silent = true;
    ::sleep(1000);
  } else {
    if (alias == "chatty") std::printf("%s\n", request.c_str());
    answer(connection, "200 OK", "pong from " + std::to_string(::getpid()));
  }
  ::close(connection);
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);
  std::string model;
  for (int i = 1; i + 1 < count; ++i) {
    const std::string_view flag = arguments[i];
    if (flag == "--host") host = arguments[i + 1];
    if (flag == "--alias") alias = arguments[i + 1];
    if (flag == "--model") model = arguments[i + 1];
    if (flag == "--api-key-file") {
      std::ifstream file(arguments[i + 1]);
      std::getline(file, token);
    }
  }
  char magic[4] = {};
  if (!std::ifstream(model, std::ios::binary).read(magic, sizeof magic) ||
      std::memcmp(magic, "GGUF", sizeof magic) != 0) {
    std::printf("error: cannot read %s\n", model.c_str());
    return 3;
  }
  if (alias == "fails") {
    std::printf("0.00.002.380 E srv  load_model: unknown model architecture\n");
    return 1;
  }
  ::signal(SIGTERM, alias == "stubborn" ? SIG_IGN : SIG_DFL);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, host.c_str(), sizeof address.sun_path - 1);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 64) != 0) {
    std::perror("error: bind");
    return 2;
  }
  for (;;) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection >= 0) std::thread(serve, connection).detach();
  }
}
