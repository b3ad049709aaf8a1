#include "vault/root_key_rotation.h"

#include <gtest/gtest.h>

#include <string>

#include "vault/memory_vault_store.h"
#include "vault/temporary_folder.h"

namespace claviger::vault {
namespace {

using Fault = MemoryVaultStore::RewrapFault;
using Crash = MemoryVaultStore::SimulatedCrash;

constexpr std::string_view kKey = "sk-live-0123456789abcdef";
constexpr PassphraseCost kCheap{.passes = 1, .memory_kib = 64};

RootKeyErrorCode code_of(const RootKeyResult& result) {
  return result ? RootKeyErrorCode{255} : result.error().code;
}

/// A home with one credential and one named secret in its vault.
class RotationTest : public testing::Test {
 protected:
  RotationTest() {
    auto root = make_root_key_file(path_);
    before_ = (*root)->id_text();
    Vault vault(store_, std::move(*root));
    Credential about;
    about.provider = "openai";
    about.name = "main";
    id_ = vault.add(about, Secret::copy_of(kKey)).value().id;
    EXPECT_TRUE(vault.named_secret("n", 32));
  }

  RootKeyResult start() { return open_root_key(path_, store_, RootKey::read_file); }

  /// Starts, checks that the vault opens whole and that no trace of a change is left, and
  /// returns the id of the key in force.
  std::string start_and_check() {
    auto root = start();
    if (!root) return root.error().message;
    Vault vault(store_, std::move(*root));
    const auto all = vault.open_all().value();
    EXPECT_NE(all->find(id_), nullptr);
    if (const auto* entry = all->find(id_)) EXPECT_EQ(entry->key.reveal(), kKey);
    EXPECT_TRUE(vault.named_secret("n", 32));
    EXPECT_FALSE(std::filesystem::exists(next_));
    EXPECT_EQ((*RootKey::read_file(path_))->id_text(), vault.root_key_id());
    return vault.root_key_id();
  }

  std::expected<void, RootKeyError> rotate() {
    Vault vault(store_, std::move(*start()));
    return rotate_root_key(path_, vault, make_root_key_file);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "root.key";
  std::string next_ = folder_ / "root.key.next";
  MemoryVaultStore store_;
  CredentialId id_;
  std::string before_;
};

TEST_F(RotationTest, AfterAChangeTheNewKeyIsInForce) {
  ASSERT_TRUE(rotate());
  EXPECT_NE(start_and_check(), before_);
}

TEST_F(RotationTest, TheRunningVaultGoesOnUnderTheNewKey) {
  Vault vault(store_, std::move(*start()));
  ASSERT_TRUE(rotate_root_key(path_, vault, make_root_key_file));
  Credential about;
  about.name = "second";
  about.provider = "openai";
  const CredentialId second = vault.add(about, Secret::copy_of(kKey)).value().id;
  ASSERT_TRUE(rotate_root_key(path_, vault, make_root_key_file));
  EXPECT_EQ(vault.open_all().value()->find(second)->key.reveal(), kKey);
  EXPECT_EQ(start_and_check(), vault.root_key_id());
}

TEST_F(RotationTest, ACrashWhileTheNextKeyIsWrittenChangesNothing) {
  write_whole(next_, "claviger-root-1 AAECAwQF");  // Torn.
  EXPECT_EQ(start_and_check(), before_);
}

TEST_F(RotationTest, ACrashBeforeTheCommitChangesNothing) {
  store_.fault = Fault::crash_before_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  ASSERT_TRUE(std::filesystem::exists(next_));
  EXPECT_EQ(start_and_check(), before_);
}

TEST_F(RotationTest, ACrashAfterTheCommitIsFinishedAtStart) {
  store_.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  const std::string next = (*RootKey::read_file(next_))->id_text();
  EXPECT_EQ(start_and_check(), next);
}

TEST_F(RotationTest, ACrashAfterTheRenameNeedsNothing) {
  ASSERT_TRUE(rotate());
  const std::string after = start_and_check();
  EXPECT_EQ(start_and_check(), after);
}

TEST_F(RotationTest, EvenTheLossOfTheOldFileAfterTheCommitIsMended) {
  store_.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  const std::string next = (*RootKey::read_file(next_))->id_text();
  std::filesystem::remove(path_);
  EXPECT_EQ(start_and_check(), next);
}

TEST_F(RotationTest, AnUncertainCommitKeepsBothKeysForTheNextStart) {
  for (const Fault fault : {Fault::fail_before_commit, Fault::fail_after_commit}) {
    store_.fault = fault;
    store_.unavailable_after_fault = true;
    const auto rotated = rotate();
    ASSERT_FALSE(rotated);
    EXPECT_EQ(rotated.error().code, RootKeyErrorCode::unavailable);
    EXPECT_TRUE(std::filesystem::exists(path_));
    ASSERT_TRUE(std::filesystem::exists(next_));
    store_.fault = Fault::none;
    store_.unavailable = false;
    const std::string next = (*RootKey::read_file(next_))->id_text();
    EXPECT_EQ(start_and_check(), fault == Fault::fail_after_commit ? next : before_);
  }
}

TEST_F(RotationTest, AStoreThatDoesNotAnswerAtStartCostsNoKey) {
  store_.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  store_.unavailable = true;
  EXPECT_EQ(code_of(start()), RootKeyErrorCode::unavailable);
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(std::filesystem::exists(next_));
}

TEST_F(RotationTest, AnUnfinishedChangeIsNotOverwritten) {
  Vault vault(store_, std::move(*start()));
  write_whole(next_, "anything");
  const auto rotated = rotate_root_key(path_, vault, make_root_key_file);
  EXPECT_EQ(rotated.error().code, RootKeyErrorCode::exists);
  EXPECT_EQ(read_whole(next_), "anything");
}

TEST_F(RotationTest, ARowThatDoesNotOpenStopsTheChangeAndLeavesNoFile) {
  store_.rows[id_].wrapped_data_key[40] ^= 1;
  const auto rotated = rotate();
  EXPECT_EQ(rotated.error().code, RootKeyErrorCode::wrong_key);
  EXPECT_FALSE(std::filesystem::exists(next_));
  EXPECT_EQ((*start())->id_text(), before_);
}

TEST_F(RotationTest, AForeignKeyIsRefusedByItsId) {
  std::filesystem::remove(path_);
  const auto foreign = make_root_key_file(path_);
  const auto root = start();
  ASSERT_EQ(code_of(root), RootKeyErrorCode::wrong_key);
  EXPECT_NE(root.error().message.find((*foreign)->id_text()), std::string::npos);
}

TEST_F(RotationTest, AMissingKeyIsReportedAsMissing) {
  std::filesystem::remove(path_);
  EXPECT_EQ(code_of(start()), RootKeyErrorCode::not_found);
}

TEST_F(RotationTest, AnAlteredRowDoesNotKeepTheRestFromStarting) {
  store_.rows[id_].wrapped_data_key[40] ^= 1;
  ASSERT_TRUE(start());
  // Nor does it cost a key: the next one is kept, since it might open that row.
  const std::string next = (*make_root_key_file(next_))->id_text();
  ASSERT_TRUE(start());
  EXPECT_EQ((*RootKey::read_file(next_))->id_text(), next);
}

TEST_F(RotationTest, ADatabaseUnderTwoKeysCostsNeither) {
  const std::string old_row = store_.rows[id_].wrapped_data_key;
  store_.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  store_.rows[id_].wrapped_data_key = old_row;  // Copied in from a backup.
  EXPECT_EQ(code_of(start()), RootKeyErrorCode::mixed);
  EXPECT_TRUE(RootKey::read_file(path_));
  EXPECT_TRUE(RootKey::read_file(next_));
}

TEST_F(RotationTest, AnOldKeyWithWrongPermissionsIsNotReplacedOverAPartlyOpenVault) {
  store_.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate()), Crash);
  store_.rows[id_].wrapped_data_key[40] ^= 1;
  std::filesystem::permissions(path_, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(code_of(start()), RootKeyErrorCode::unsafe);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(RotationTest, AnEmptyDatabaseFitsAnyKey) {
  store_.rows.clear();
  store_.secrets.clear();
  EXPECT_EQ((*start())->id_text(), before_);
  ASSERT_TRUE(make_root_key_file(next_));
  EXPECT_EQ((*start())->id_text(), before_);
  EXPECT_FALSE(std::filesystem::exists(next_));
}

TEST_F(RotationTest, APassphraseCanBeChangedAndACrashIsFinishedWithEither) {
  const std::string path = folder_ / "root.passphrase";
  const Secret old_phrase = Secret::copy_of("the old passphrase");
  const Secret new_phrase = Secret::copy_of("the new passphrase");
  const auto reader = [](const Secret& passphrase) {
    return [&passphrase](const std::string& file) {
      return RootKey::read_passphrase_file(file, passphrase);
    };
  };
  const RootKeyMaker maker = [&](const std::string& file) {
    return RootKey::create_passphrase_file(file, new_phrase, kCheap);
  };
  MemoryVaultStore store;
  Vault vault(store, std::move(*RootKey::create_passphrase_file(path, old_phrase, kCheap)));
  ASSERT_TRUE(vault.named_secret("n", 32));

  store.fault = Fault::crash_before_commit;
  EXPECT_THROW(static_cast<void>(rotate_root_key(path, vault, maker)), Crash);
  EXPECT_EQ(code_of(open_root_key(path, store, reader(new_phrase))),
            RootKeyErrorCode::wrong_passphrase);
  EXPECT_TRUE(open_root_key(path, store, reader(old_phrase)));

  Vault again(store, std::move(*open_root_key(path, store, reader(old_phrase))));
  store.fault = Fault::crash_after_commit;
  EXPECT_THROW(static_cast<void>(rotate_root_key(path, again, maker)), Crash);
  EXPECT_FALSE(open_root_key(path, store, reader(old_phrase)));
  EXPECT_TRUE(open_root_key(path, store, reader(new_phrase)));
  EXPECT_FALSE(std::filesystem::exists(path + ".next"));
  EXPECT_TRUE(RootKey::read_passphrase_file(path, new_phrase));
}

}  // namespace
}  // namespace claviger::vault
