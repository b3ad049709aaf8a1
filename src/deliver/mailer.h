#pragma once

/// Sends mail over SMTP. libcurl speaks the protocol, with STARTTLS, TLS and the ways of logging
/// in; it blocks, so it does so on a thread of its own, one mail after the other.
///
/// The address that it is about to connect to passes the same rule as every other connection
/// that leaves here (net/egress.h): a mail server in the operator's own network has to be
/// allowed by host and port.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "alert/deliverer.h"
#include "base/executor.h"
#include "base/secret.h"
#include "net/egress.h"

namespace claviger::deliver {

enum class MailTls : std::uint8_t {
  starttls,  ///< Plain at first, then TLS before anything is said; usually port 587.
  tls,       ///< From the first byte; usually port 465.
  none,      ///< For a server on this machine.
};

struct MailSettings {
  std::string host;
  std::uint16_t port = 587;
  MailTls tls = MailTls::starttls;
  std::string user;  ///< Empty: no login.
  Secret password;
  std::string from;     ///< A plain mail address.
  std::string ca_file;  ///< Empty: the system's authorities.
};

/// Threads: send() on the control thread, set_settings() from any.
class Mailer {
 public:
  /// Mails that wait, the one that is being sent included.
  static constexpr std::size_t kQueueMax = 64;

  /// Both outlive this.
  Mailer(const Clock& clock, const net::Egress& egress);
  /// Breaks off what is being sent. Nobody may be waiting any more.
  ~Mailer();
  Mailer(const Mailer&) = delete;
  Mailer& operator=(const Mailer&) = delete;

  /// Null: mail is not set up, and every attempt fails with the sentence that says so.
  void set_settings(std::shared_ptr<const MailSettings> settings);
  bool is_set_up() const;

  Task<alert::DeliveryOutcome> send(std::string to, const alert::Message& message,
                                    Deadline deadline);

 private:
  struct Job;
  void run();
  alert::DeliveryOutcome send_now(const Job& job);

  const Clock& clock_;
  const net::Egress& egress_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const MailSettings> settings_;
  std::deque<Job*> queue_;  ///< They live in the frames of those who wait.
  std::atomic<bool> stopping_{false};
  std::thread thread_;  ///< Started with the first mail: most servers never send one.
};

}  // namespace claviger::deliver
