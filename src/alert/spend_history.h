#pragma once

/// What requests of each owner usually cost, model by model, so that what is unusual can be
/// told: against their own history, since what is dear for one is the daily bread of another.
///
/// A single dear request: it costs at least eight times what 95 of 100 of this owner's requests
/// to this model stayed below, and at least five cents; said only after thirty requests.
/// A dear model: a token of it costs at least ten times what a token cost this owner on the
/// last day on which they used anything, when they did not use that model.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "alert/alert.h"
#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"

namespace claviger::alert {

/// One request that cost something.
struct Spend {
  RequestId request;
  OwnerId owner;
  std::string model;  ///< `provider/model`, as routed.
  WallTime at;
  NanoUsd cost;             ///< Above 0.
  std::int64_t tokens = 0;  ///< Read and written together; >= 0.
};

/// Every number here is meant to be quiet: a warning that comes too often is not read.
struct SpendRules {
  std::int64_t requests_least = 30;  ///< Before anything is called unusual.
  std::int64_t dear_factor = 8;
  NanoUsd dear_least = cents(5);
  std::int64_t model_factor = 10;
  NanoUsd model_cost_least = cents(5);     ///< Of today's requests to the model together.
  std::int64_t model_requests_least = 3;   ///< Of them.
  std::int64_t day_requests_least = 10;    ///< Of the day that it is compared with.
  std::int64_t days_back_max = 7;          ///< How long ago that day may be.
  std::int64_t findings_per_day_max = 10;  ///< Of each owner: a bound on what is sent.
};

/// Threads: one at a time.
class SpendHistory {
 public:
  /// Owners, and pairs of owner and model, at most so many each (about 0.6 KB a pair): beyond
  /// that the one that was not used for longest is forgotten, and learned anew.
  static constexpr std::size_t kTracksMax = 4096;
  static constexpr std::size_t kModelsPerDayMax = 64;

  SpendHistory() = default;
  explicit SpendHistory(SpendRules rules) : rules_(rules) {}

  /// Takes notice of a request. What is unusual about it is added to `findings`.
  void judge(const Spend& spend, std::vector<Finding>& findings);
  /// Takes notice only: of what was there before this process began.
  void learn(const Spend& spend);

 private:
  /// How many requests cost about how much: two counts for each doubling.
  struct Costs {
    static constexpr std::size_t kBuckets = 128;
    std::array<std::uint32_t, kBuckets> counts{};
    std::int64_t total = 0;
    void add(NanoUsd cost);
    /// The least amount that `percent` of the requests stay below or at.
    NanoUsd at_percent(std::int64_t percent) const;
  };
  struct Track {
    Costs costs;
    std::int64_t day = 0;
    std::int64_t requests_today = 0;
    NanoUsd cost_today;
    std::int64_t tokens_today = 0;
    WallTime used_at;
  };
  struct Day {
    std::int64_t day = 0;
    std::int64_t requests = 0;
    NanoUsd cost;
    std::int64_t tokens = 0;
    std::vector<std::string> models;
  };
  struct Person {
    Day before;  ///< The last day with requests before this one.
    Day today;
    std::int64_t findings_today = 0;
    WallTime used_at;
  };
  struct Key {
    OwnerId owner;
    std::string model;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<OwnerId>{}(key.owner) ^ std::hash<std::string>{}(key.model);
    }
  };

  Track& track_of(const Spend& spend);
  Person& person_of(const Spend& spend);
  void judge_request(const Spend& spend, const Track& track, Person& person,
                     std::vector<Finding>& findings) const;
  void judge_model(const Spend& spend, const Track& track, Person& person,
                   std::vector<Finding>& findings) const;
  static void count(const Spend& spend, Track& track, Person& person);

  SpendRules rules_;
  std::unordered_map<Key, Track, KeyHash> tracks_;
  std::unordered_map<OwnerId, Person> people_;
};

}  // namespace claviger::alert
