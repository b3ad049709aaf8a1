#include "deliver/mailer.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/quiet_thread.h"
#include "deliver/mail_message.h"

namespace claviger::deliver {
namespace {

using alert::DeliveryOutcome;

DeliveryOutcome failed(std::string trouble) {
  return {.result = DeliveryOutcome::Result::failed,
          .trouble = std::move(trouble),
          .retry_after = std::nullopt};
}

/// libcurl keeps copies of the password; what it gives back is wiped.
void wiping_free(void* memory) {
  if (memory == nullptr) return;
  wipe(memory, malloc_usable_size(memory));
  std::free(memory);
}
void* wiping_realloc(void* memory, std::size_t bytes) {
  if (memory == nullptr) return std::malloc(bytes);
  void* const moved = std::malloc(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, std::min(bytes, malloc_usable_size(memory)));
  wiping_free(memory);
  return moved;
}
void* plain_malloc(std::size_t bytes) {
  return std::malloc(bytes);
}
void* plain_calloc(std::size_t count, std::size_t bytes) {
  return std::calloc(count, bytes);
}
char* plain_strdup(const char* text) {
  return ::strdup(text);
}

struct CurlCleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListCleanup {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// What the callbacks of one transfer share.
struct Transfer {
  const net::Egress& egress;
  net::Endpoint endpoint;
  std::string_view unsent;
  const std::atomic<bool>& stopping;
  std::string refusal;  ///< By the egress rule.
};

std::size_t read_mail(char* into, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t bytes = std::min(size * count, transfer.unsent.size());
  std::memcpy(into, transfer.unsent.data(), bytes);
  transfer.unsent.remove_prefix(bytes);
  return bytes;
}

/// The one place where libcurl gets a socket from: not the name is checked but the address that
/// is about to be connected.
curl_socket_t open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  if (const auto refused = transfer.egress.refusal(transfer.endpoint, address->addr)) {
    transfer.refusal = refused->message;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int look_whether_to_stop(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->stopping ? 1 : 0;
}

/// The address itself is refused; anything else may be different tomorrow.
bool is_final(CURLcode code, long response, std::string_view said) {
  const bool is_about_recipient = said.starts_with("RCPT failed");
  return code == CURLE_SEND_ERROR && is_about_recipient && response >= 550 && response <= 553;
}

}  // namespace

struct Mailer::Job {
  std::shared_ptr<const MailSettings> settings;
  std::string to;
  std::string mail;
  Deadline deadline;
  DeliveryOutcome outcome;
  std::coroutine_handle<> waiting;
  Executor* executor = nullptr;
};

Mailer::Mailer(const Clock& clock, const net::Egress& egress) : clock_(clock), egress_(egress) {}

Mailer::~Mailer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Mailer::set_settings(std::shared_ptr<const MailSettings> settings) {
  const std::scoped_lock lock(mutex_);
  settings_ = std::move(settings);
}

bool Mailer::is_set_up() const {
  const std::scoped_lock lock(mutex_);
  return settings_ != nullptr;
}

Task<DeliveryOutcome> Mailer::send(std::string to, const alert::Message& message,
                                   Deadline deadline) {
  Job job{.settings = nullptr,
          .to = std::move(to),
          .mail = {},
          .deadline = deadline,
          .outcome = {},
          .waiting = {},
          .executor = Executor::current()};
  {
    const std::scoped_lock lock(mutex_);
    job.settings = settings_;
    if (queue_.size() >= kQueueMax) co_return failed("too many mails are waiting already");
  }
  if (job.settings == nullptr) {
    co_return failed("mail is not set up; the operator names a server in [mail] of claviger.toml");
  }
  job.mail = write_mail(job.settings->from, job.to, message, clock_.wall_now());

  struct Queued {
    Mailer& mailer;
    Job& job;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const {
      job.waiting = waiting;
      const std::scoped_lock lock(mailer.mutex_);
      mailer.queue_.push_back(&job);
      if (!mailer.thread_.joinable()) {
        mailer.thread_ = quiet_thread("mail", [&sender = mailer] { sender.run(); });
      }
      mailer.changed_.notify_one();
    }
    void await_resume() const noexcept {}
  };
  co_await Queued{*this, job};
  co_return std::move(job.outcome);
}

void Mailer::run() {
  // Before any other thread could: libcurl's own set-up is not safe between threads.
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, plain_malloc, wiping_free, wiping_realloc, plain_strdup,
                       plain_calloc);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) break;
    Job& job = *queue_.front();
    lock.unlock();
    job.outcome = send_now(job);
    lock.lock();
    queue_.pop_front();
    // From here on the job may be gone.
    const auto waiting = job.waiting;
    Executor* const executor = job.executor;
    lock.unlock();
    if (executor != nullptr) {
      executor->post(waiting);
    } else {
      waiting.resume();
    }
    lock.lock();
  }
  lock.unlock();
  curl_global_cleanup();
}

DeliveryOutcome Mailer::send_now(const Job& job) {
  const MailSettings& settings = *job.settings;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(job.deadline.at() - clock_.now());
  if (left.count() <= 0) return failed("there was no time left to send it");
  const std::unique_ptr<CURL, CurlCleanup> handle(curl_easy_init());
  std::unique_ptr<curl_slist, ListCleanup> recipients(
      curl_slist_append(nullptr, fmt::format("<{}>", job.to).c_str()));
  if (!handle || !recipients) return failed("there is no memory to send a mail");

  const bool is_v6 = settings.host.find(':') != std::string::npos;
  const std::string url =
      fmt::format("{}://{}:{}", settings.tls == MailTls::tls ? "smtps" : "smtp",
                  is_v6 ? "[" + settings.host + "]" : settings.host, settings.port);
  const std::string from = fmt::format("<{}>", settings.from);
  std::array<char, CURL_ERROR_SIZE> said{};
  Transfer transfer{.egress = egress_,
                    .endpoint = {.host = settings.host, .port = settings.port},
                    .unsent = job.mail,
                    .stopping = stopping_,
                    .refusal = {}};
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // Whatever the environment says.
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said.data());
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_USE_SSL,
                   settings.tls == MailTls::none ? CURLUSESSL_NONE : CURLUSESSL_ALL);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, settings.ca_file.c_str());
  }
  if (!settings.user.empty()) {
    std::string password(settings.password.reveal());  // libcurl wants a zero byte behind it.
    curl_easy_setopt(curl, CURLOPT_USERNAME, settings.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password.c_str());
    wipe(password.data(), password.size());
  }
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_mail);
  curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_whether_to_stop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);

  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) {
    return {
        .result = DeliveryOutcome::Result::delivered, .trouble = {}, .retry_after = std::nullopt};
  }
  if (!transfer.refusal.empty()) return failed(transfer.refusal);
  long response = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response);
  const std::string_view reason = said[0] == '\0' ? curl_easy_strerror(code) : said.data();
  DeliveryOutcome outcome = failed(fmt::format("the mail server {}:{} did not take the mail: {}",
                                               settings.host, settings.port, reason));
  if (is_final(code, response, reason)) outcome.result = DeliveryOutcome::Result::refused;
  return outcome;
}

}  // namespace claviger::deliver
