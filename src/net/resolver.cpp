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

std::expected<Addresses, std::string> look_up_by_the_rules(const std::string& host,
                                                           std::uint16_t port) {
  return look_up(host, port, AI_ADDRCONFIG);
}

}  // namespace

Resolver::Resolver(const Clock& clock) : Resolver(clock, Options{}) {}

Resolver::Resolver(const Clock& clock, Options options)
    : clock_(clock),
      options_(options),
      look_up_(options.look_up != nullptr ? options.look_up : look_up_by_the_rules) {
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

  const std::string name = host + ":" + std::to_string(port);
  auto* const reactor = static_cast<Reactor*>(Executor::current());
  const auto asker = std::make_shared<Asker>();
  asker->reactor = reactor;
  {
    const std::lock_guard lock(mutex_);
    const auto known = answers_.find(name);
    if (known != answers_.end() && clock_.now() < known->second.until) {
      co_return known->second.addresses;
    }
    auto question = questions_.find(name);
    if (question == questions_.end()) {
      if (questions_.size() >= options_.queue_max) {
        co_return std::unexpected("too many names are being resolved at once; try again");
      }
      question = questions_.emplace(name, Question{.host = host, .port = port, .askers = {}}).first;
      queue_.push_back(name);
    }
    question->second.askers.push_back(asker);
  }
  changed_.notify_one();
  // The answer arrives as a message on this reactor, so never before we wait.
  if (co_await reactor->sleep_until(deadline, &asker->waiting) == Woken::timed_out) {
    co_return std::unexpected("resolving the name " + host + " took too long");
  }
  co_return std::move(asker->answer);
}

void Resolver::work() {
  for (;;) {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      name = std::move(queue_.front());
      queue_.pop_front();
      host = questions_.at(name).host;
      port = questions_.at(name).port;
    }
    const auto answer = look_up_(host, port);
    std::vector<std::shared_ptr<Asker>> askers;
    {
      const std::lock_guard lock(mutex_);
      if (answers_.size() >= options_.names_max) answers_.clear();
      answers_[name] = {answer,
                        clock_.now() + (answer ? options_.keep_for : options_.keep_failure_for)};
      askers = std::move(questions_.at(name).askers);
      questions_.erase(name);
    }
    for (const auto& asker : askers) {
      asker->reactor->post([asker, answer] {
        if (asker->waiting == nullptr) return;  // Gave up waiting.
        asker->answer = answer;
        asker->reactor->wake(*asker->waiting, Woken::ready);
      });
    }
  }
}

}  // namespace claviger::net
