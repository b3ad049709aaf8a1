/// The real llama-server with a real model, inside the whole sandbox. Needs both:
///   CLAVIGER_TEST_RUNNER  the llama-server
///   CLAVIGER_TEST_MODEL   a small chat model, e.g. SmolLM2-135M-Instruct.Q4_1.gguf

#include <gmock/gmock.h>

#include "local/model_inspection.h"
#include "local/supervisor_harness.h"

namespace claviger::local {
namespace {

using namespace std::chrono_literals;
using testing::Answer;
using testing::comes_true;
using ::testing::HasSubstr;

constexpr OwnerId ada{1};

class RealRunner : public testing::SupervisorTest {
 protected:
  void SetUp() override {
    SupervisorTest::SetUp();
    const char* runner = ::getenv("CLAVIGER_TEST_RUNNER");
    const char* model = ::getenv("CLAVIGER_TEST_MODEL");
    if (runner == nullptr || model == nullptr) {
      GTEST_SKIP() << "skipped: set CLAVIGER_TEST_RUNNER and CLAVIGER_TEST_MODEL";
    }
    settings_.runner_path = runner;
    settings_.tuning.request_slots = 2;
    model_.id = LocalModelId{1};
    model_.owner = ada;
    model_.path = model;
    model_.name = model_name_from(model_.path);
    model_.context_tokens = 1024;
  }
  static std::string chat(int tokens, bool streams) {
    return R"({"messages":[{"role":"user","content":"Count from one to two hundred."}],)"
           R"("ignore_eos":true,"max_tokens":)" +
           std::to_string(tokens) + R"(,"stream":)" + (streams ? "true" : "false") + "}";
  }
  /// Reads the stream until a piece of the answer has come, calls `then`, and reads the rest.
  template <typename Then>
  static std::string stream(const route::RunnerLease& lease, int tokens, Then then) {
    std::string all;
    const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval minute{60, 0};
    ::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, lease.socket_path().data(), lease.socket_path().size());
    EXPECT_EQ(::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string body = chat(tokens, true);
    const std::string request =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
        std::string(lease.token().reveal()) +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    (void)!::send(file, request.data(), request.size(), MSG_NOSIGNAL);
    char bytes[4096];
    bool has_called = false;
    for (ssize_t got = 0; (got = ::recv(file, bytes, sizeof bytes, 0)) > 0;) {
      all.append(bytes, static_cast<std::size_t>(got));
      if (!has_called && all.find("\"delta\"") != std::string::npos) {
        then();
        has_called = true;
      }
      if (all.find("data: [DONE]") != std::string::npos) break;
    }
    EXPECT_TRUE(has_called) << all;
    ::close(file);
    return all;
  }

  LocalModel model_;
};

TEST_F(RealRunner, AnswersAChatInsideTheWholeSandbox) {
  start({model_});
  EXPECT_TRUE(supervisor_->sandbox().is_sufficient());
  const auto begun = std::chrono::steady_clock::now();
  const auto lease = acquire(model_.id);
  ASSERT_TRUE(lease) << lease.error().message;
  const auto ready = std::chrono::steady_clock::now() - begun;
  std::printf(
      "ready after %lld ms\n",
      static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(ready).count()));

  const Answer answer = ask(*lease, "/v1/chat/completions", chat(8, false));
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("\"completion_tokens\":8"));
  EXPECT_THAT(answer.text, HasSubstr(model_.name));
  EXPECT_THAT(stream(*lease, 12, [] {}), HasSubstr("data: [DONE]"));
  EXPECT_EQ(testing::ask(lease->socket_path(), "guess", "/v1/chat/completions").status, 401);
  EXPECT_EQ(ask(*lease, "/v1/models", "").status, 404) << "POST is none of its methods";
  const Answer slots =
      testing::ask(lease->socket_path(), lease->token().reveal(), "/slots", "", "GET");
  EXPECT_NE(slots.status, 200) << "other requests' prompts are nobody's business";
}

TEST_F(RealRunner, HasTheContextThatWasPromisedInEachSlot) {
  start({model_});
  const auto lease = acquire(model_.id);
  ASSERT_TRUE(lease) << lease.error().message;
  const Answer about =
      testing::ask(lease->socket_path(), lease->token().reveal(), "/props", "", "GET");
  EXPECT_THAT(about.text, HasSubstr("\"n_ctx\":1024"));
  EXPECT_THAT(about.text, HasSubstr("\"total_slots\":2"));
}

TEST_F(RealRunner, ItsDeathInTheMiddleOfAStreamFailsThatRequestOnly) {
  start({model_});
  {
    const auto lease = acquire(model_.id);
    ASSERT_TRUE(lease) << lease.error().message;
    ASSERT_TRUE(comes_true([&] { return process_of(model_.id) > 0; }));
    const std::string broken = stream(*lease, 400, [&] { ::kill(process_of(model_.id), SIGSEGV); });
    EXPECT_EQ(broken.find("[DONE]"), std::string::npos);
    EXPECT_TRUE(comes_true([&] { return process_of(model_.id) < 0; }));
  }
  const auto again = acquire(model_.id);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ask(*again, "/v1/chat/completions", chat(4, false)).status, 200);
}

TEST_F(RealRunner, TakesNoMoreMemoryThanItsInspectionSays) {
  const auto inspection = inspect(model_, {settings_.tuning.request_slots, 0}, 0);
  ASSERT_TRUE(inspection) << inspection.error().message;
  settings_.tuning.prompt_cache_mib = 0;
  start({model_});
  const auto lease = acquire(model_.id);
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(ask(*lease, "/v1/chat/completions", chat(300, false)).status, 200);
  std::ifstream status("/proc/" + std::to_string(process_of(model_.id)) + "/status");
  std::int64_t resident_kib = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) resident_kib = std::atoll(line.c_str() + 6);
  }
  std::printf("%s; at most %lld MiB were resident\n", inspection->summary.c_str(),
              static_cast<long long>(resident_kib / 1024));
  EXPECT_GT(resident_kib, 0);
  EXPECT_LT(resident_kib * 1024, inspection->need.total_bytes());
}

TEST_F(RealRunner, SaysWhyAModelThatItDoesNotKnowCannotBeRun) {
  LocalModel odd = model(2, ada, "odd");
  testing::GgufWriter writer;
  writer.text("general.architecture", "unheard-of").tensor("t", {4});
  std::ofstream(odd.path, std::ios::binary | std::ios::trunc) << writer.file();
  start({odd});
  const auto refused = acquire(odd.id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, route::RunnerError::start_failed);
  EXPECT_THAT(refused.error().message, HasSubstr("unknown model architecture"));
  std::printf("%s\n", refused.error().message.c_str());
}

}  // namespace
}  // namespace claviger::local
