#include "server/worker.h"

#include "base/quiet_thread.h"

namespace claviger::server {

Worker::Worker(Parts parts)
    : reactor_(parts.clock),
      caller_limits_(parts.caller_limits),
      provider_limits_(parts.provider_limits),
      pool_(reactor_, parts.egress),
      relay_({.reactor = reactor_,
              .pool = pool_,
              .ledger = parts.ledger,
              .recorder = parts.recorder,
              .metrics = parts.metrics,
              .runner = parts.runner,
              .history = parts.history,
              .failures = parts.failures,
              .contents = parts.contents,
              .keys = parts.keys,
              .health = parts.health},
             provider_limits_),
      door_({.reactor = reactor_,
             .relay = &relay_,
             .desk = parts.desk,
             .events = parts.events,
             .metrics = parts.metrics,
             .tls = std::move(parts.tls),
             .connections_max = parts.connections_max,
             .limits = caller_limits_,
             .bodies = parts.bodies,
             .who = FrontDoor::Who::callers,
             .only_local_names = parts.only_local_names}) {}

Worker::~Worker() {
  stop();
}

std::expected<std::uint16_t, std::string> Worker::listen(const net::ListenAddress& address) {
  auto opened = net::Listener::open(reactor_, address);
  if (!opened) return std::unexpected(opened.error());
  listener_ = std::move(*opened);
  return listener_->port();
}

void Worker::start() {
  thread_ = quiet_thread("worker", [this] { reactor_.run(); });
}

void Worker::open() {
  reactor_.post([this] {
    spawn(listener_->run([this](net::Stream stream) { door_.admit(std::move(stream)); }));
  });
}

void Worker::set_world(std::shared_ptr<const relay::Snapshot> world,
                       std::function<void()> when_done) {
  reactor_.post([this, world = std::move(world), when_done = std::move(when_done)] {
    relay_.set_world(world);
    when_done();
  });
}

void Worker::set_passed(std::shared_ptr<const alert::PassedThresholds> passed) {
  reactor_.post([this, passed = std::move(passed)] { relay_.set_passed(passed); });
}

void Worker::set_limits(const net::ServerLimits& caller, const relay::Limits& provider) {
  reactor_.post([this, caller, provider] {
    caller_limits_ = caller;
    provider_limits_ = provider;
  });
}

void Worker::drain() {
  reactor_.post([this] {
    listener_->stop();
    relay_.set_draining();
    pool_.close_idle();
    door_.close_idle();
  });
}

void Worker::cancel_all() {
  reactor_.post([this] { door_.cancel_all(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  reactor_.stop();
  thread_.join();
}

}  // namespace claviger::server
