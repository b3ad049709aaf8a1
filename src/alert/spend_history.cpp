#include "alert/spend_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "alert/payload.h"
#include "exchange/json_writer.h"

namespace claviger::alert {
namespace {

constexpr std::uint32_t kCountsKept = 1000;  ///< Then all are halved: what was long ago fades.
constexpr std::size_t kModelBytesMax = 256;

std::int64_t day_of(WallTime at) {
  return std::chrono::floor<std::chrono::days>(at).time_since_epoch().count();
}

/// Two for each doubling: the highest bit, and the one below it.
std::size_t bucket_of(NanoUsd cost) {
  const auto nanos = static_cast<std::uint64_t>(std::max<std::int64_t>(1, cost.nanos()));
  const auto high = static_cast<std::size_t>(std::bit_width(nanos) - 1);
  const std::size_t half = high == 0 ? 0 : (nanos >> (high - 1)) & 1;
  return high * 2 + half;
}

/// The most that falls into a bucket.
NanoUsd top_of(std::size_t bucket) {
  const std::size_t high = bucket / 2;
  if (high >= 62) return NanoUsd::max();
  const std::uint64_t low_end = std::uint64_t{1} << high;
  const std::uint64_t top = bucket % 2 == 0 ? low_end + low_end / 2 : low_end * 2;
  return NanoUsd(static_cast<std::int64_t>(std::max<std::uint64_t>(top, 2)) - 1);
}

/// Pico-dollars a token; `tokens` > 0.
__int128 rate_of(NanoUsd cost, std::int64_t tokens) {
  return static_cast<__int128>(cost.nanos()) * 1000 / tokens;
}

NanoUsd per_million_tokens(__int128 picos) {
  const __int128 nanos = picos * 1'000'000 / 1000;
  return nanos > NanoUsd::max().nanos() ? NanoUsd::max()
                                        : NanoUsd(static_cast<std::int64_t>(nanos));
}

template <typename Map, typename Key>
typename Map::mapped_type& find_or_make(Map& map, const Key& key) {
  if (const auto found = map.find(key); found != map.end()) return found->second;
  if (map.size() >= SpendHistory::kTracksMax) {
    map.erase(
        std::ranges::min_element(map, {}, [](const auto& entry) { return entry.second.used_at; }));
  }
  return map.try_emplace(key).first->second;
}

}  // namespace

void SpendHistory::Costs::add(NanoUsd cost) {
  if (total >= kCountsKept) {
    total = 0;
    for (std::uint32_t& count : counts) {
      count /= 2;
      total += count;
    }
  }
  ++counts[bucket_of(cost)];
  ++total;
}

NanoUsd SpendHistory::Costs::at_percent(std::int64_t percent) const {
  std::int64_t below = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    below += counts[bucket];
    if (below * 100 >= total * percent) return top_of(bucket);
  }
  return NanoUsd::max();
}

SpendHistory::Track& SpendHistory::track_of(const Spend& spend) {
  Track& track = find_or_make(tracks_, Key{spend.owner, spend.model.substr(0, kModelBytesMax)});
  track.used_at = std::max(track.used_at, spend.at);
  const std::int64_t day = day_of(spend.at);
  if (day > track.day) {
    track.day = day;
    track.requests_today = 0;
    track.cost_today = NanoUsd();
    track.tokens_today = 0;
  }
  return track;
}

SpendHistory::Person& SpendHistory::person_of(const Spend& spend) {
  Person& person = find_or_make(people_, spend.owner);
  person.used_at = std::max(person.used_at, spend.at);
  const std::int64_t day = day_of(spend.at);
  if (day > person.today.day) {
    if (person.today.requests > 0) person.before = std::move(person.today);
    person.today = Day{.day = day, .requests = 0, .cost = {}, .tokens = 0, .models = {}};
    person.findings_today = 0;
  }
  return person;
}

void SpendHistory::count(const Spend& spend, Track& track, Person& person) {
  track.costs.add(spend.cost);
  ++track.requests_today;
  track.cost_today += spend.cost;
  track.tokens_today += spend.tokens;
  Day& today = person.today;
  ++today.requests;
  today.cost += spend.cost;
  today.tokens += spend.tokens;
  if (today.models.size() < kModelsPerDayMax &&
      std::ranges::find(today.models, spend.model) == today.models.end()) {
    today.models.push_back(spend.model);
  }
}

void SpendHistory::learn(const Spend& spend) {
  count(spend, track_of(spend), person_of(spend));
}

void SpendHistory::judge(const Spend& spend, std::vector<Finding>& findings) {
  Track& track = track_of(spend);
  Person& person = person_of(spend);
  // Against what was before it: a request must not make itself usual.
  judge_request(spend, track, person, findings);
  count(spend, track, person);
  judge_model(spend, track, person, findings);
}

void SpendHistory::judge_request(const Spend& spend, const Track& track, Person& person,
                                 std::vector<Finding>& findings) const {
  if (track.costs.total < rules_.requests_least || spend.cost < rules_.dear_least) return;
  const NanoUsd usual_most = track.costs.at_percent(95);
  const auto bound = static_cast<__int128>(usual_most.nanos()) * rules_.dear_factor;
  if (spend.cost.nanos() < bound || person.findings_today >= rules_.findings_per_day_max) return;
  ++person.findings_today;
  const std::string model(exchange::clipped(spend.model, kModelBytesMax));
  findings.push_back(
      {.condition = Condition::costly_request,
       .occasion = "request/" + spend.request.text(),
       .owner = spend.owner,
       .budget = {},
       .summary =
           fmt::format("One request to {} cost {}; of this owner's requests to it 95 in 100 "
                       "cost {} or less. See: claviger request {}",
                       model, to_display(spend.cost), to_display(usual_most), spend.request.text()),
       .details = Details()
                      .text("request", spend.request.text())
                      .text("owner", spend.owner.text())
                      .text("model", model)
                      .usd("cost_usd", spend.cost)
                      .usd("usual_most_usd", usual_most)
                      .number("requests_compared", track.costs.total)
                      .finish()});
}

void SpendHistory::judge_model(const Spend& spend, const Track& track, Person& person,
                               std::vector<Finding>& findings) const {
  const Day& before = person.before;
  if (track.requests_today < rules_.model_requests_least ||
      track.cost_today < rules_.model_cost_least || track.tokens_today <= 0 ||
      before.requests < rules_.day_requests_least || before.tokens <= 0 ||
      before.cost <= NanoUsd() || person.today.day - before.day > rules_.days_back_max ||
      day_of(spend.at) != person.today.day ||
      std::ranges::find(before.models, spend.model) != before.models.end()) {
    return;
  }
  const __int128 now = rate_of(track.cost_today, track.tokens_today);
  const __int128 then = std::max<__int128>(1, rate_of(before.cost, before.tokens));
  const auto times = static_cast<std::int64_t>(std::min<__int128>(now / then, 1'000'000));
  if (times < rules_.model_factor || person.findings_today >= rules_.findings_per_day_max) return;
  // Once for the day: a model that has been found is one of those that were used before.
  ++person.findings_today;
  person.before.models.push_back(spend.model);
  const std::string model(exchange::clipped(spend.model, kModelBytesMax));
  findings.push_back(
      {.condition = Condition::costly_model,
       .occasion = fmt::format("model/{}/{}/{}", spend.owner.text(), model, person.today.day),
       .owner = spend.owner,
       .budget = {},
       .summary =
           fmt::format("{} costs {} times what this owner used {}: {} a million tokens "
                       "instead of {}.",
                       model, times,
                       person.today.day - before.day == 1
                           ? "yesterday"
                           : fmt::format("{} days ago", person.today.day - before.day),
                       to_display(per_million_tokens(now)), to_display(per_million_tokens(then))),
       .details = Details()
                      .text("owner", spend.owner.text())
                      .text("model", model)
                      .number("times", times)
                      .usd("per_million_tokens_usd", per_million_tokens(now))
                      .usd("per_million_tokens_before_usd", per_million_tokens(then))
                      .usd("cost_today_usd", track.cost_today)
                      .finish()});
}

}  // namespace claviger::alert
