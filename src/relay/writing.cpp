/// What is written around a call: the request for the provider, the headers of an answer, the
/// record.

#include <fmt/format.h>

#include "relay/address.h"
#include "relay/failure.h"
#include "relay/relay.h"

namespace claviger::relay {
namespace {

/// One provider request at a time is put together here; it is sent before anything waits, or
/// copied by whoever has to wait.
thread_local std::string request_head;
thread_local std::string request_body;

/// A body that was large once is not kept for ever.
constexpr std::size_t kScratchKeptBytes = std::size_t{1} << 20;

/// Longer than any head that we write, so that the key never lies in a copy that grew.
constexpr std::size_t kHeadBytesMax = 16 * 1024 + 4096;

void wipe_scratch() {
  request_head.reserve(kHeadBytesMax + vault::kKeyBytesMax);
  wipe(request_head.data(), request_head.size());  // It held the provider's key.
  request_head.clear();
  request_body.clear();
  if (request_body.capacity() > kScratchKeptBytes) request_body.shrink_to_fit();
}

}  // namespace

provider::Edits edits_of(const Attempt& attempt) {
  provider::Edits edits{.model = attempt.target.provider_model,
                        .output_tokens_max = attempt.output_tokens_written,
                        .price_cap = {}};
  if (attempt.target.price) {
    edits.price_cap = provider::PriceCap{.input = attempt.target.price->worst_input(),
                                         .output = attempt.target.price->worst_output()};
  }
  return edits;
}

Task<net::IoResult<void>> Relay::send_request(Job& job, const Address& address,
                                              std::string_view key,
                                              net::ProviderExchange& provider) {
  wipe_scratch();
  if (job.attempt.translation == nullptr) {
    job.attempt.adapter->write_body(*job.attempt.profile, job.request, edits_of(job.attempt),
                                    request_body);
  } else {
    request_body = job.attempt.translated_body;
  }
  net::http::HeadWriter head(request_head);
  head.request("POST", address.base_path,
               job.attempt.adapter->path(*job.attempt.profile, job.request,
                                         job.attempt.target.provider_model));
  head.header("host", address.host);
  head.header("content-type", "application/json");
  head.header("accept", job.record.streamed ? "text/event-stream" : "application/json");
  head.header("user-agent", "claviger");
  if (!job.attempt.profile->client_request_id_header.empty()) {
    head.outside_header(job.attempt.profile->client_request_id_header,
                        job.record.id.text() + "-" + std::to_string(job.attempt.number));
  }
  head.header("content-length", request_body.size());
  head.ready_lines(job.attempt.forwarded_headers);
  if (!key.empty()) {
    head.ready_lines(job.attempt.profile->auth_header);
    head.ready_lines(": ");
    head.ready_lines(job.attempt.profile->auth_prefix);
    head.ready_lines(key);
    head.ready_lines("\r\n");
  }
  if (!head.finish()) co_return std::unexpected(net::IoError::reset);

  // Mostly the kernel takes it all at once, and the shared scratch is free again.
  const iovec pieces[] = {{request_head.data(), request_head.size()},
                          {request_body.data(), request_body.size()}};
  const auto count = provider.stream().try_write(pieces);
  if (!count && count.error() != net::IoError::would_block) {
    wipe_scratch();
    co_return std::unexpected(count.error());
  }
  const std::size_t written = count.value_or(0);
  job.attempt.reached_provider = true;  // Or will be, as soon as the kernel takes more.
  const std::size_t total = request_head.size() + request_body.size();
  net::Buffer rest;
  if (written < total) {
    if (written < request_head.size()) {
      rest.append(std::string_view(request_head).substr(written));
      rest.append(request_body);
    } else {
      rest.append(std::string_view(request_body).substr(written - request_head.size()));
    }
  }
  wipe_scratch();
  if (rest.empty()) co_return net::IoResult<void>{};
  co_return co_await provider.stream().write_all(rest.bytes(),
                                                 parts_.reactor.after(limits_.send_time_max));
}

void Relay::add_job_headers(net::http::HeadWriter& head, const Job& job) const {
  head.header("x-claviger-request-id", job.record.id.text());
  if (!job.record.model.empty()) head.header("x-claviger-model", job.record.model);
  if (!job.attempt.target.credential.is_none()) {
    head.header("x-claviger-credential", job.attempt.target.credential.text());
  }
  if (job.attempt.is_held) {
    const NanoUsd left = job.attempt.is_settled ? job.attempt.left : job.attempt.grant.left;
    head.header("x-claviger-budget-remaining", to_decimal(left));
  }
  if (!job.downgraded_from.empty()) {
    head.header("x-claviger-downgraded-from", job.downgraded_from);
  }
  if (passed_ != nullptr) {
    if (const auto* const fullest = passed_->fullest_of(job.attempt.budgets.ids())) {
      head.header("x-claviger-budget-warning", fullest->header);
    }
  }
  if (job.attempt.was_clamped && job.attempt.output_tokens_written) {
    head.header("x-claviger-clamped",
                static_cast<std::uint64_t>(*job.attempt.output_tokens_written));
  }
  if (job.attempt.is_unbounded) head.header("x-claviger-unbounded", "true");
  if (!job.attempt.dropped.empty()) {
    head.header("x-claviger-dropped", fmt::format("{}", fmt::join(job.attempt.dropped, ", ")));
  }
  const std::int64_t overhead_us = overhead_of(job.record.times);
  if (overhead_us >= 0) {
    head.header("x-claviger-overhead-us", static_cast<std::uint64_t>(overhead_us));
  }
  head.ready_lines(job.attempt.passed_back);
}

void Relay::begin_record(Job& job) {
  job.record.started_at = parts_.reactor.clock().wall_now();
  job.record.id = job.errand ? job.errand->request : new_request_id(job.record.started_at);
  job.record.owner = job.key->owner;
  job.record.app = job.key->app;
  job.record.key = job.key->id;
  job.record.operation = exchange::to_string(job.operation);
}

void Relay::finish_record(Job& job) {
  job.record.clamped = job.attempt.was_clamped;
  if (job.was_overrun) {  // Whatever else went wrong: this one costs.
    note_failure(job.record, *provider_overran(job.attempt.target.provider));
  }
  job.record.times.total_us = since_start(job);
  job.record.times.overhead_us = overhead_of(job.record.times);
  parts_.metrics.count(job.record);
  parts_.recorder.submit(std::move(job.sheet));
}

std::int64_t Relay::since_start(const Job& job) const {
  return std::chrono::duration_cast<std::chrono::microseconds>(parts_.reactor.clock().now() -
                                                               job.caller.complete_at())
      .count();
}

const Address* Relay::address_of(const std::string& base_url) {
  constexpr std::size_t kAddressesMax = 4096;
  if (const auto known = addresses_.find(base_url); known != addresses_.end()) {
    return known->second.get();
  }
  // Requests that are under way hold references, so nothing is removed while any is.
  if (addresses_.size() >= kAddressesMax) return nullptr;
  return addresses_.emplace(base_url, Address::of_base_url(base_url)).first->second.get();
}

std::int64_t overhead_of(const record::Times& times) {
  if (times.admitted_us < 0 || times.sent_us < 0 || times.connected_us < 0) return -1;
  return times.admitted_us + (times.sent_us - times.connected_us);
}

}  // namespace claviger::relay
