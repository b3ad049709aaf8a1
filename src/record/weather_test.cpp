#include "record/weather.h"

#include <gtest/gtest.h>

namespace claviger::record {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNoon{std::chrono::hours{24 * 20'000 + 12}};

Record met(std::string model, std::string at_fault, WallTime at = kNoon) {
  Record record;
  record.model = std::move(model);
  record.started_at = at;
  record.status = at_fault.empty() ? 200 : 503;
  record.provider_status = record.status;
  record.at_fault = std::move(at_fault);
  record.error_code = record.at_fault.empty() ? "" : "overloaded";
  return record;
}

void see(Weather& weather, const Record& record, int times) {
  weather.see(std::vector<Record>(static_cast<std::size_t>(times), record));
}

TEST(Weather, AProviderIsDownOnceMostOfWhatItIsAskedFails) {
  Weather weather;
  see(weather, met("groq/a", ""), 5);
  see(weather, met("groq/a", "provider", kNoon + 1min), 20);
  see(weather, met("groq/b", "", kNoon + 1min), 100);
  const auto reports = weather.reports(kNoon + 1min);
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[0].place, "groq/a");
  EXPECT_EQ(reports[0].sky, Sky::down);
  EXPECT_EQ(reports[0].since, kNoon + 1min);
  EXPECT_EQ(reports[0].failed, 20);
  EXPECT_EQ(reports[0].latest_failure, "overloaded");
  EXPECT_EQ(reports[1].place, "groq");
  EXPECT_EQ(reports[1].sky, Sky::degraded);
  EXPECT_EQ(reports[2].place, "groq/b");
  EXPECT_EQ(reports[2].sky, Sky::up);
}

TEST(Weather, OneUnluckyRequestIsNoWeather) {
  Weather weather;
  see(weather, met("groq/a", "network"), 2);
  EXPECT_EQ(weather.reports(kNoon)[0].sky, Sky::up);
}

TEST(Weather, WhatAPlaceRightlyRefusesIsNotItsFault) {
  Weather weather;
  for (const char* const party : {"key", "account", "app", "policy", "model"}) {
    see(weather, met("groq/a", party), 20);
  }
  EXPECT_EQ(weather.reports(kNoon)[0].sky, Sky::up);
}

TEST(Weather, ItClearsUpAndWhatNobodyAsksIsForgotten) {
  Weather weather;
  see(weather, met("groq/a", "provider"), 20);
  EXPECT_EQ(weather.reports(kNoon)[0].sky, Sky::down);
  see(weather, met("groq/a", "", kNoon + 6min), 3);
  const auto reports = weather.reports(kNoon + 6min);
  EXPECT_EQ(reports[0].sky, Sky::up);
  EXPECT_EQ(reports[0].since, kNoon + 6min);
  EXPECT_EQ(reports[0].failed, 0);
  EXPECT_TRUE(weather.reports(kNoon + 30min).empty());
}

TEST(Weather, WhatReachedNobodyIsNotCounted) {
  Weather weather;
  Record refused = met("groq/a", "budget");
  refused.provider_status = 0;
  see(weather, refused, 5);
  EXPECT_TRUE(weather.reports(kNoon).empty());
}

TEST(Weather, ManyNamesDoNotGrowWithoutEnd) {
  Weather weather;
  for (std::size_t i = 0; i < Weather::kPlacesMax + 100; ++i) {
    see(weather, met("p/" + std::to_string(i), ""), 1);
  }
  EXPECT_EQ(weather.reports(kNoon).size(), Weather::kPlacesMax);
}

}  // namespace
}  // namespace claviger::record
