#pragma once

/// Hands a message to the kind of channel that it is for.

#include "alert/deliverer.h"
#include "deliver/mailer.h"
#include "deliver/webhooks.h"

namespace claviger::deliver {

class Channels final : public alert::Deliverer {
 public:
  /// Both outlive this.
  Channels(Webhooks& webhooks, Mailer& mailer) : webhooks_(webhooks), mailer_(mailer) {}

  Task<alert::DeliveryOutcome> deliver(alert::Channel channel, alert::Message message,
                                       Deadline deadline) override {
    if (channel.kind == alert::ChannelKind::mail) {
      co_return co_await mailer_.send(channel.target, message, deadline);
    }
    co_return co_await webhooks_.post(channel, message, deadline);
  }

 private:
  Webhooks& webhooks_;
  Mailer& mailer_;
};

}  // namespace claviger::deliver
