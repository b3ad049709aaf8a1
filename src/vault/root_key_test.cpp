#include "vault/root_key.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "vault/line_checksum.h"
#include "vault/passphrase.h"
#include "vault/temporary_folder.h"

namespace claviger::vault {
namespace {

constexpr PassphraseCost kCheap{.passes = 1, .memory_kib = 64};
constexpr std::string_view kPassphrase = "correct horse battery";

RootKeyErrorCode code_of(const RootKeyResult& result) {
  return result ? RootKeyErrorCode{255} : result.error().code;
}

std::string with_checksum(std::string line) {
  char checksum[1 + kLineChecksumChars];
  write_line_checksum(line, checksum);
  return line.append(checksum, sizeof checksum);
}

class RootKeyTest : public testing::Test {
 protected:
  RootKeyTest() { EXPECT_TRUE(key_->write_new_file(path_)); }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "root.key";
  std::unique_ptr<RootKey> key_ = RootKey::generate();
};

TEST_F(RootKeyTest, WhatIsWrittenIsWhatIsRead) {
  const auto read = RootKey::read_file(path_);

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(**read, *key_);
  EXPECT_EQ((*read)->unwrap("x", key_->wrap("x", "plain"))->reveal(), "plain");
  EXPECT_NE(*RootKey::generate(), *key_);
}

TEST_F(RootKeyTest, TheFileIsOneLineThatOnlyWeMayRead) {
  struct stat about{};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const std::string text = read_whole(path_);
  EXPECT_TRUE(text.starts_with("claviger-root-1 "));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST_F(RootKeyTest, AnExistingKeyIsNeverOverwritten) {
  const std::string before = read_whole(path_);
  const auto written = RootKey::generate()->write_new_file(path_);

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, RootKeyErrorCode::exists);
  EXPECT_EQ(read_whole(path_), before);
}

TEST_F(RootKeyTest, AStrictUmaskDoesNotShutUsOut) {
  const mode_t before = umask(0777);
  const auto written = key_->write_new_file(folder_ / "other.key");
  umask(before);

  ASSERT_TRUE(written);
  EXPECT_TRUE(RootKey::read_file(folder_ / "other.key"));
}

// The format is a promise: a key written by any version can be read by all later ones.
TEST_F(RootKeyTest, ReadsAKeyThatWasWrittenInTheFirstVersion) {
  const auto read = RootKey::parse(
      "claviger-root-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 d9c9f0a2\n", "a test");

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)->id_text(), "702ad741a158dddbadfae2599e3107fa");
}

TEST_F(RootKeyTest, PermissionsForOthersAreRefusedWithTheCommandThatMendsThem) {
  for (const mode_t mode : {0640u, 0604u, 0620u, 0602u, 0610u, 0644u, 0666u}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    const auto read = RootKey::read_file(path_);
    ASSERT_EQ(code_of(read), RootKeyErrorCode::unsafe);
    EXPECT_NE(read.error().message.find("chmod 600 " + path_), std::string::npos);
  }
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  EXPECT_TRUE(RootKey::read_file(path_));
}

TEST_F(RootKeyTest, AnotherUsersFileIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(chown(path_.c_str(), 12345, 0), 0);
  EXPECT_EQ(code_of(RootKey::read_file(path_)), RootKeyErrorCode::unsafe);
}

TEST_F(RootKeyTest, OnlyARegularFileWillDo) {
  const std::string link = folder_ / "link";
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);

  EXPECT_EQ(code_of(RootKey::read_file(link)), RootKeyErrorCode::unsafe);
  EXPECT_EQ(code_of(RootKey::read_file(fifo)), RootKeyErrorCode::unsafe);
  EXPECT_EQ(code_of(RootKey::read_file(folder_ / ".")), RootKeyErrorCode::unsafe);
  EXPECT_EQ(code_of(RootKey::read_file(folder_ / "none")), RootKeyErrorCode::not_found);
}

TEST_F(RootKeyTest, NothingIsWrittenThroughALink) {
  const std::string target = folder_ / "target";
  const std::string link = folder_ / "link";
  ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
  EXPECT_FALSE(key_->write_new_file(link));
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(RootKeyTest, ACutFileIsToldAtEveryLength) {
  const std::string text = read_whole(path_);
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    EXPECT_EQ(code_of(RootKey::parse(text.substr(0, length), "it")), RootKeyErrorCode::malformed)
        << length;
  }
  EXPECT_TRUE(RootKey::parse(text.substr(0, text.size() - 1), "it"));  // Only the newline.
}

TEST_F(RootKeyTest, AnAlteredCharacterIsToldAnywhere) {
  const std::string text = read_whole(path_);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == 'x' ? 'y' : 'x';
    EXPECT_EQ(code_of(RootKey::parse(altered, "it")), RootKeyErrorCode::malformed) << i;
  }
}

TEST_F(RootKeyTest, AForeignFileIsCalledForeign) {
  const auto message = [](std::string_view text) {
    const auto read = RootKey::parse(text, "FILE");
    return read ? std::string() : read.error().message;
  };
  EXPECT_NE(message("-----BEGIN PRIVATE KEY-----\n").find("is no root key"), std::string::npos);
  EXPECT_NE(message("claviger-root-2 x\n").find("another version"), std::string::npos);
  EXPECT_NE(message("claviger-roo").find("cut short"), std::string::npos);
  EXPECT_NE(message("").find("is empty"), std::string::npos);
  EXPECT_NE(message("claviger-passphrase-1 x\n").find("passphrase"), std::string::npos);
  EXPECT_NE(message(with_checksum("claviger-root-1 short")).find("damaged"), std::string::npos);
  EXPECT_NE(message(std::string(600, 'a')).find("is no root key"), std::string::npos);
}

TEST_F(RootKeyTest, NoMessageHoldsThePartsOfAKey) {
  std::string text = read_whole(path_);
  const std::string body = text.substr(16, 43);
  text.back() = 'x';
  const auto read = RootKey::parse(text, "FILE");
  ASSERT_FALSE(read);
  for (std::size_t i = 0; i + 6 <= body.size(); ++i) {
    EXPECT_EQ(read.error().message.find(body.substr(i, 6)), std::string::npos);
  }
}

TEST_F(RootKeyTest, AFileThatIsTooLongIsNotReadToItsEnd) {
  write_whole(folder_ / "long", std::string(100'000, 'a'));
  EXPECT_EQ(code_of(RootKey::read_file(folder_ / "long")), RootKeyErrorCode::malformed);
}

TEST_F(RootKeyTest, ComesThroughAPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const std::string text = read_whole(path_);
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);

  const auto read = RootKey::read_descriptor(ends[0]);
  close(ends[0]);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(**read, *key_);
  EXPECT_EQ(code_of(RootKey::read_descriptor(-1)), RootKeyErrorCode::unavailable);
}

TEST_F(RootKeyTest, ComesAsASystemdCredential) {
  unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(code_of(RootKey::read_systemd_credential("root.key")), RootKeyErrorCode::not_found);

  setenv("CREDENTIALS_DIRECTORY", (folder_ / "").c_str(), 1);
  ASSERT_EQ(chmod(path_.c_str(), 0440), 0);  // How an ACL for the service's user looks.
  const auto read = RootKey::read_systemd_credential("root.key");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(**read, *key_);

  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  EXPECT_EQ(code_of(RootKey::read_systemd_credential("root.key")), RootKeyErrorCode::unsafe);
  for (const char* name : {"", ".", "..", "../root.key", "a/b"}) {
    EXPECT_EQ(code_of(RootKey::read_systemd_credential(name)), RootKeyErrorCode::not_found) << name;
  }
  unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(RootKeyTest, APassphraseGivesTheSameKeyAgain) {
  const std::string path = folder_ / "root.passphrase";
  const Secret passphrase = Secret::copy_of(kPassphrase);
  const auto made = RootKey::create_passphrase_file(path, passphrase, kCheap);
  ASSERT_TRUE(made) << made.error().message;

  const auto read = RootKey::read_passphrase_file(path, passphrase);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(**read, **made);
  const Secret with_newline = Secret::copy_of(std::string(kPassphrase) + "\n");
  EXPECT_TRUE(RootKey::read_passphrase_file(path, with_newline));
}

TEST_F(RootKeyTest, AWrongPassphraseIsToldAtOnce) {
  const std::string path = folder_ / "root.passphrase";
  ASSERT_TRUE(RootKey::create_passphrase_file(path, Secret::copy_of(kPassphrase), kCheap));

  EXPECT_EQ(code_of(RootKey::read_passphrase_file(path, Secret::copy_of("incorrect horse"))),
            RootKeyErrorCode::wrong_passphrase);
  EXPECT_EQ(code_of(RootKey::read_passphrase_file(path, Secret())),
            RootKeyErrorCode::wrong_passphrase);
}

TEST_F(RootKeyTest, TheSamePassphraseTwiceGivesTwoKeys) {
  const Secret passphrase = Secret::copy_of(kPassphrase);
  const auto first = RootKey::create_passphrase_file(folder_ / "a", passphrase, kCheap);
  const auto second = RootKey::create_passphrase_file(folder_ / "b", passphrase, kCheap);
  EXPECT_NE(**first, **second);
}

TEST_F(RootKeyTest, AShortPassphraseIsRefusedAndLeavesNoFile) {
  const auto made = RootKey::create_passphrase_file(folder_ / "p", Secret::copy_of("short\n"));
  EXPECT_EQ(code_of(made), RootKeyErrorCode::weak_passphrase);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "p"));
}

TEST_F(RootKeyTest, UnlessToldOtherwiseAGuessCostsWhatIsRecommended) {
  ASSERT_TRUE(RootKey::create_passphrase_file(folder_ / "p", Secret::copy_of(kPassphrase)));
  const auto file = parse_passphrase_file(read_whole(folder_ / "p"), "it");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->cost.passes, 3u);
  EXPECT_EQ(file->cost.memory_kib, 262144u);
}

TEST_F(RootKeyTest, AnAlteredPassphraseFileIsTold) {
  ASSERT_TRUE(RootKey::create_passphrase_file(folder_ / "p", Secret::copy_of(kPassphrase), kCheap));
  const std::string text = read_whole(folder_ / "p");
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == '3' ? '4' : '3';
    EXPECT_FALSE(parse_passphrase_file(altered, "it")) << i;
    if (i + 1 < text.size()) EXPECT_FALSE(parse_passphrase_file(text.substr(0, i), "it")) << i;
  }
}

TEST_F(RootKeyTest, APassphraseFileCannotAskForAllMemory) {
  const auto parse = [](std::string_view cost) {
    return parse_passphrase_file(
               with_checksum("claviger-passphrase-1 argon2id13 " + std::string(cost) +
                             " AAAAAAAAAAAAAAAAAAAAAA 00112233445566778899aabbccddeeff"),
               "it")
        .has_value();
  };
  EXPECT_TRUE(parse("3 262144"));
  EXPECT_TRUE(parse("32 1048576"));
  EXPECT_FALSE(parse("33 262144"));
  EXPECT_FALSE(parse("3 1048577"));
  EXPECT_FALSE(parse("0 262144"));
  EXPECT_FALSE(parse("3 0"));
  EXPECT_FALSE(parse("-3 262144"));
  EXPECT_FALSE(parse("3 99999999999999999999999"));
  EXPECT_FALSE(parse("03 262144"));
  EXPECT_FALSE(parse("3  262144"));
}

TEST_F(RootKeyTest, WhatIsWrappedOpensOnlyUnderItsKeyAndBinding) {
  const std::string wrapped = key_->wrap("here", "plain");

  EXPECT_EQ(key_->unwrap("here", wrapped)->reveal(), "plain");
  EXPECT_FALSE(key_->unwrap("there", wrapped));
  EXPECT_FALSE(RootKey::generate()->unwrap("here", wrapped));
  EXPECT_NE(key_->wrap("here", "plain"), wrapped);  // Another nonce.
  for (std::size_t i = 0; i < wrapped.size(); ++i) {
    std::string altered = wrapped;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_FALSE(key_->unwrap("here", altered)) << i;
    EXPECT_FALSE(key_->unwrap("here", wrapped.substr(0, i))) << i;
  }
  EXPECT_FALSE(key_->unwrap("here", wrapped + "x"));
  EXPECT_FALSE(key_->unwrap("here", std::string(1 << 20, '\1')));
}

}  // namespace
}  // namespace claviger::vault
