#include "net/provider_pool.h"

#include <algorithm>

namespace claviger::net {

/// An idle connection, watching for its own end: providers close what is idle, and a request
/// sent into a closed connection would be an error that nobody is to blame for.
struct ProviderPool::Idle final : HangupListener {
  Idle(ProviderPool& owning_pool, Shelf& on_shelf, Stream idle_stream, Instant now)
      : pool(owning_pool), shelf(on_shelf), stream(std::move(idle_stream)), since(now) {}
  void on_hangup() override { pool.drop(*this); }  // Destroys *this.

  ProviderPool& pool;
  Shelf& shelf;
  Stream stream;
  Instant since;
};

namespace {

/// A connection on which bytes arrived that nobody asked for would answer the next request
/// with somebody else's answer. (Under TLS there may be session tickets to take in.)
bool is_quiet(Stream& stream) {
  if (stream.socket().hung_up()) return false;
  if (!stream.socket().may_be_readable() && !stream.has_buffered()) return true;
  char unasked = 0;
  const auto count = stream.try_read({&unasked, 1});
  return !count && count.error() == IoError::would_block;
}

}  // namespace

ProviderPool::ProviderPool(Reactor& reactor, Egress& egress, Options options)
    : reactor_(reactor), egress_(egress), options_(options), swept_at_(reactor.now()) {}

ProviderPool::~ProviderPool() = default;

Task<std::expected<ProviderPool::Connection, ConnectFailure>> ProviderPool::acquire(
    const Endpoint& endpoint, const std::string& key, Deadline deadline) {
  if (const auto shelf = shelves_.find(key); shelf != shelves_.end()) {
    auto& idle = shelf->second.idle;
    while (!idle.empty()) {
      Stream stream = std::move(idle.back()->stream);
      const bool fresh = reactor_.now() - idle.back()->since < options_.keep_idle;
      idle.pop_back();
      --idle_;
      stream.socket().set_hangup_listener(nullptr);
      if (fresh && is_quiet(stream)) {
        co_return Connection{.stream = std::move(stream), .reused = true};
      }
    }
  }
  auto connected = co_await egress_.connect(reactor_, endpoint, deadline);
  if (!connected) co_return std::unexpected(std::move(connected.error()));
  co_return Connection{.stream = std::move(*connected), .reused = false};
}

void ProviderPool::release(const std::string& key, Stream stream) {
  if (reactor_.now() - swept_at_ > std::chrono::seconds(5)) sweep();
  if (stream.socket().hung_up() || idle_ >= options_.idle_max) return;
  Shelf& shelf = shelves_[key];
  if (shelf.idle.size() >= options_.idle_per_endpoint_max) return;
  shelf.idle.push_back(std::make_unique<Idle>(*this, shelf, std::move(stream), reactor_.now()));
  ++idle_;
  shelf.idle.back()->stream.socket().set_hangup_listener(shelf.idle.back().get());
}

void ProviderPool::drop(Idle& idle) {
  auto& on_shelf = idle.shelf.idle;
  const auto position =
      std::ranges::find_if(on_shelf, [&](const auto& other) { return other.get() == &idle; });
  if (position == on_shelf.end()) return;
  --idle_;
  on_shelf.erase(position);
}

void ProviderPool::sweep() {
  swept_at_ = reactor_.now();
  for (auto shelf = shelves_.begin(); shelf != shelves_.end();) {
    auto& idle = shelf->second.idle;
    // The oldest are at the front.
    const auto first_fresh = std::ranges::find_if(idle, [this](const auto& connection) {
      return reactor_.now() - connection->since < options_.keep_idle;
    });
    idle_ -= static_cast<std::size_t>(first_fresh - idle.begin());
    idle.erase(idle.begin(), first_fresh);
    shelf = idle.empty() ? shelves_.erase(shelf) : std::next(shelf);
  }
}

void ProviderPool::close_idle() {
  shelves_.clear();
  idle_ = 0;
}

}  // namespace claviger::net
