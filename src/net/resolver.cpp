#include "net/resolver.h"

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace claviger::net {
namespace {

std::expected<Addresses, std::string> look_up(const std::string& host, std::uint16_t port,
                                              int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (result != 0) {
    return std::unexpected("the name " + host + " cannot be resolved: " + gai_strerror(result));
  }
  auto addresses = std::make_shared<std::vector<Address>>();
  for (const addrinfo* info = found; info != nullptr && addresses->size() < 16;
       info = info->ai_next) {
    Address address;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.length = info->ai_addrlen;
    addresses->push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

Resolver::Resolver(const Clock& clock) : Resolver(clock, Options{}) {}

Resolver::Resolver(const Clock& clock, Options options) : clock_(clock), options_(options) {
  for (int i = 0; i < 2; ++i) workers_.emplace_back([this] { work(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

Task<std::expected<Addresses, std::string>> Resolver::resolve(std::string host, std::uint16_t port,
                                                              Deadline deadline) {
  if (auto literal = look_up(host, port, AI_NUMERICHOST)) co_return literal;

  auto* const reactor = static_cast<Reactor*>(Executor::current());
  const auto question = std::make_shared<Question>();
  {
    const std::lock_guard lock(mutex_);
    const auto known = answers_.find(host + ":" + std::to_string(port));
    if (known != answers_.end() && clock_.now() < known->second.until) {
      co_return known->second.addresses;
    }
    if (questions_.size() >= options_.queue_max) {
      co_return std::unexpected("too many names are being resolved at once; try again");
    }
    question->host = std::move(host);
    question->port = port;
    question->reactor = reactor;
    questions_.push_back(question);
  }
  changed_.notify_one();
  // The answer arrives as a message on this reactor, so never before we wait.
  if (co_await reactor->sleep_until(deadline, &question->waiting) == Woken::timed_out) {
    co_return std::unexpected("resolving the name " + question->host + " took too long");
  }
  co_return std::move(question->answer);
}

void Resolver::work() {
  for (;;) {
    std::shared_ptr<Question> question;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
      if (stopping_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    auto answer = look_up(question->host, question->port, AI_ADDRCONFIG);
    {
      const std::lock_guard lock(mutex_);
      if (answers_.size() >= options_.names_max) answers_.clear();
      answers_[question->host + ":" + std::to_string(question->port)] = {
          answer, clock_.now() + (answer ? options_.keep_for : options_.keep_failure_for)};
    }
    Reactor& reactor = *question->reactor;
    reactor.post([question, answer = std::move(answer)]() mutable {
      if (question->waiting == nullptr) return;  // Gave up waiting.
      question->answer = std::move(answer);
      question->reactor->wake(*question->waiting, Woken::ready);
    });
  }
}

}  // namespace claviger::net
