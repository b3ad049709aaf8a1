#include "record/kept_content.h"

#include <algorithm>
#include <cstring>

#include "base/secret.h"

namespace claviger::record {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

/// A sealed content is of one request of one owner.
std::string bound_to(RequestId request, OwnerId owner) {
  std::string bound = "claviger-kept-content-1";
  append_number(bound, request.high);
  append_number(bound, request.low);
  append_number(bound, static_cast<std::uint64_t>(owner.value));
  return bound;
}

/// The path's length in 8 bytes, the path, the body.
std::string packed(const ContentView& content) {
  std::string plain;
  plain.reserve(8 + content.path.size() + content.body.size());
  append_number(plain, content.path.size());
  return plain.append(content.path).append(content.body);
}

std::string sealed_with(const vault::ContentBox& box, const ContentView& content) {
  std::string plain = packed(content);
  std::string sealed = box.seal(plain, bound_to(content.request, content.owner));
  wipe(plain.data(), plain.size());
  return sealed;
}

std::optional<Content> opened_with(const vault::ContentBox& box, RequestId request, OwnerId owner,
                                   std::string_view sealed) {
  auto plain = box.open(sealed, bound_to(request, owner));
  if (!plain || plain->size() < 8) return std::nullopt;
  std::uint64_t path_bytes = 0;
  for (int i = 0; i < 8; ++i) {
    path_bytes |= static_cast<std::uint64_t>(static_cast<unsigned char>((*plain)[i])) << (8 * i);
  }
  if (path_bytes > plain->size() - 8) return std::nullopt;
  return Content{.request = request,
                 .owner = owner,
                 .path = plain->substr(8, path_bytes),
                 .body = plain->substr(8 + path_bytes)};
}

}  // namespace

std::string_view to_string(Keeping keeping) {
  switch (keeping) {
    case Keeping::off:
      return "off";
    case Keeping::failed:
      return "failed";
    case Keeping::stored:
      return "stored";
  }
  return "off";
}

std::optional<Keeping> keeping_named(std::string_view name) {
  for (const Keeping keeping : {Keeping::off, Keeping::failed, Keeping::stored}) {
    if (to_string(keeping) == name) return keeping;
  }
  return std::nullopt;
}

ContentKeeper::ContentKeeper(const Clock& clock, ContentStore& store, vault::ContentBox box)
    : clock_(clock), store_(store), stored_box_(std::move(box)) {}

void ContentKeeper::keep(const ContentView& content, Ending ending) {
  KeepingTerms terms;
  {
    const std::lock_guard lock(mutex_);
    const auto found = terms_.find(content.owner);
    if (found != terms_.end()) terms = found->second;
    const bool is_wanted = terms.keeping == Keeping::stored ||
                           (terms.keeping == Keeping::failed && ending == Ending::failed);
    if (!is_wanted) return;
    if (content.body.size() + content.path.size() > kept_request_bytes_max) {
      ++lost_;
      return;
    }
  }
  if (terms.keeping == Keeping::failed) keep_in_memory(content);
  if (terms.keeping == Keeping::stored) keep_stored(content, terms.days);
}

void ContentKeeper::keep_in_memory(const ContentView& content) {
  std::list<InMemory> one;
  one.push_back({.request = content.request,
                 .owner = content.owner,
                 .expires_at = clock_.now() + kept_in_memory_max,
                 .sealed = sealed_with(memory_box_, content)});
  const std::lock_guard lock(mutex_);
  if (!is_kept(content.owner, Keeping::failed)) return;  // Turned off meanwhile.
  memory_bytes_ += one.front().sealed.size();
  in_memory_.splice(in_memory_.end(), one);
  while (memory_bytes_ > kept_memory_bytes_max) {
    memory_bytes_ -= in_memory_.front().sealed.size();
    in_memory_.pop_front();
    ++lost_;
  }
}

void ContentKeeper::keep_stored(const ContentView& content, int days) {
  const WallTime now = clock_.wall_now();
  SealedContent sealed{.request = content.request,
                       .owner = content.owner,
                       .kept_at = now,
                       .expires_at = now + std::chrono::days(days),
                       .sealed = sealed_with(stored_box_, content)};
  const std::lock_guard lock(mutex_);
  if (!is_kept(content.owner, Keeping::stored)) return;  // Turned off meanwhile.
  if (waiting_bytes_ + sealed.sealed.size() > kept_waiting_bytes_max) {
    ++lost_;
    return;
  }
  waiting_bytes_ += sealed.sealed.size();
  waiting_.push_back(std::move(sealed));
}

bool ContentKeeper::is_kept(OwnerId owner, Keeping keeping) const {
  const auto found = terms_.find(owner);
  return found != terms_.end() && found->second.keeping == keeping;
}

void ContentKeeper::forget_in_memory(OwnerId owner) {
  std::erase_if(in_memory_, [&](const InMemory& kept) {
    if (kept.owner != owner) return false;
    memory_bytes_ -= kept.sealed.size();
    return true;
  });
}

Result<void> ContentKeeper::set_terms(std::unordered_map<OwnerId, KeepingTerms> terms) {
  const auto days_of = [](const KeepingTerms& of) {
    return of.keeping == Keeping::stored ? of.days : 0;
  };
  // Whose contents the store may have for longer than is wanted now.
  std::unordered_map<OwnerId, int> wanted;
  for (const auto& [owner, of] : terms) wanted[owner] = days_of(of);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [owner, before] : terms_) {
      const auto after = terms.find(owner);
      wanted.try_emplace(owner, 0);
      if (after == terms.end() || after->second.keeping == Keeping::off) forget_in_memory(owner);
    }
    terms_ = std::move(terms);
    std::erase_if(waiting_, [&](const SealedContent& one) {
      const auto days = wanted.find(one.owner);
      if (days != wanted.end() && days->second > 0) return false;
      waiting_bytes_ -= one.sealed.size();
      return true;
    });
  }
  for (const auto& [owner, days] : wanted) {
    const auto told = days_in_store_.find(owner);
    if (told != days_in_store_.end() && told->second == days) continue;
    if (auto done = store_.shorten(owner, days); !done) return done;
    days_in_store_[owner] = days;
  }
  return {};
}

Result<std::optional<Content>> ContentKeeper::find(RequestId request) {
  // Opened without the lock: requests that end must not wait for it.
  std::optional<InMemory> in_memory;
  std::optional<SealedContent> sealed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(in_memory_, request, &InMemory::request);
    if (found != in_memory_.end() && found->expires_at > clock_.now()) in_memory = *found;
    const auto waits = std::ranges::find(waiting_, request, &SealedContent::request);
    if (waits != waiting_.end()) sealed = *waits;
  }
  if (in_memory) return opened_with(memory_box_, request, in_memory->owner, in_memory->sealed);
  if (!sealed) {
    auto stored = store_.find(request);
    if (!stored) return std::unexpected(stored.error());
    sealed = std::move(*stored);
  }
  if (!sealed || sealed->expires_at <= clock_.wall_now()) return std::nullopt;
  return opened_with(stored_box_, request, sealed->owner, sealed->sealed);
}

Result<void> ContentKeeper::tick() {
  std::vector<SealedContent> taken;
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock_.now();
    while (!in_memory_.empty() && in_memory_.front().expires_at <= now) {
      memory_bytes_ -= in_memory_.front().sealed.size();
      in_memory_.pop_front();
    }
    taken.swap(waiting_);
    waiting_bytes_ = 0;
  }
  if (!taken.empty()) {
    if (auto done = store_.append(taken); !done) {
      const std::lock_guard lock(mutex_);
      for (SealedContent& one : taken) {
        if (waiting_bytes_ + one.sealed.size() > kept_waiting_bytes_max) {
          ++lost_;
          continue;
        }
        waiting_bytes_ += one.sealed.size();
        waiting_.push_back(std::move(one));
      }
      return done;
    }
  }
  return store_.remove_expired(clock_.wall_now());
}

std::int64_t ContentKeeper::contents_lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace claviger::record
