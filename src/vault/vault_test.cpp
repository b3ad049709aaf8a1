#include "vault/vault.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vault/envelope.h"
#include "vault/memory_vault_store.h"
#include "vault/root_key.h"

namespace claviger::vault {
namespace {

using Fault = MemoryVaultStore::RewrapFault;

constexpr std::string_view kKey = "sk-live-0123456789abcdef";

Credential about(std::string name, std::string base_url = "https://api.openai.com/v1") {
  Credential made;
  made.owner = OwnerId{3};
  made.provider = "openai";
  made.name = std::move(name);
  made.base_url = std::move(base_url);
  made.created_at = from_unix_micros(123);
  return made;
}

std::unique_ptr<RootKey> copy_of(const Secret& bytes) {
  return std::make_unique<RootKey>(bytes.clone());
}

class VaultTest : public testing::Test {
 protected:
  CredentialId add(std::string name, std::string_view key = kKey) {
    return vault_.add(about(std::move(name)), Secret::copy_of(key)).value().id;
  }
  std::string opened(CredentialId id) {
    const auto all = vault_.open_all().value();
    const auto* entry = all->find(id);
    return entry == nullptr ? "(not there)" : std::string(entry->key.reveal());
  }

  MemoryVaultStore store_;
  Secret root_bytes_ = Secret::copy_of(std::string(RootKey::kBytes, 'r'));
  Secret next_bytes_ = Secret::copy_of(std::string(RootKey::kBytes, 'n'));
  Vault vault_{store_, copy_of(root_bytes_)};
};

TEST_F(VaultTest, WhatWasAddedOpensAgainAlsoAfterARestart) {
  const auto added = vault_.add(about("main"), Secret::copy_of(kKey));
  ASSERT_TRUE(added);
  EXPECT_FALSE(added->id.is_none());
  EXPECT_EQ(added->hint, "cdef");
  EXPECT_EQ(added->created_at, from_unix_micros(123));

  Vault restarted(store_, copy_of(root_bytes_));
  const auto all = restarted.open_all().value();
  ASSERT_EQ(all->entries().size(), 1u);
  EXPECT_EQ(all->find(added->id)->key.reveal(), kKey);
  EXPECT_EQ(all->find(added->id)->about.name, "main");
  EXPECT_EQ(all->find(CredentialId{99}), nullptr);
}

TEST_F(VaultTest, FindsEachOfMany) {
  std::vector<CredentialId> ids;
  for (int i = 0; i < 50; ++i)
    ids.push_back(add("n" + std::to_string(i), "key" + std::to_string(i)));
  const auto all = vault_.open_all().value();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(all->find(ids[static_cast<std::size_t>(i)])->key.reveal(), "key" + std::to_string(i));
  }
}

TEST_F(VaultTest, OneNewlineAtTheEndIsNoPartOfTheKey) {
  EXPECT_EQ(opened(add("a", "sk-1\n")), "sk-1");
  EXPECT_EQ(opened(add("b", "sk-1\r\n")), "sk-1");
}

TEST_F(VaultTest, AKeyThatCouldSmuggleAHeaderIsRefused) {
  for (const std::string_view bad :
       {std::string_view("sk-1\r\nX-Evil: 1"), std::string_view("sk-1\n\n"),
        std::string_view("sk\0-1", 5), std::string_view("sk-1\r"), std::string_view("sk\t1"),
        std::string_view("sk-\x7f"), std::string_view("sk-\xc3\xa9"), std::string_view(" sk-1"),
        std::string_view("sk-1 "), std::string_view(""), std::string_view("\n")}) {
    EXPECT_EQ(vault_.add(about("x"), Secret::copy_of(bad)).error(), VaultError::malformed) << bad;
  }
  EXPECT_TRUE(store_.rows.empty());
  EXPECT_TRUE(vault_.add(about("x"), Secret::copy_of("Basic dXNlcg==")));
}

TEST_F(VaultTest, BoundsHold) {
  EXPECT_TRUE(vault_.add(about("a"), Secret::copy_of(std::string(kKeyBytesMax, 'k'))));
  EXPECT_EQ(vault_.add(about("b"), Secret::copy_of(std::string(kKeyBytesMax + 1, 'k'))).error(),
            VaultError::too_long);
  EXPECT_EQ(vault_.add(about(std::string(kNameBytesMax + 1, 'n')), Secret::copy_of(kKey)).error(),
            VaultError::too_long);
  EXPECT_EQ(
      vault_.add(about("c", std::string(kBaseUrlBytesMax + 1, 'u')), Secret::copy_of(kKey)).error(),
      VaultError::too_long);
  EXPECT_EQ(vault_.named_secret("n", kNamedSecretBytesMax + 1).error(), VaultError::too_long);
}

TEST_F(VaultTest, AFullArenaRefusesKeysInsteadOfEndingTheServer) {
  const CredentialId id = add("before");
  std::vector<Secret> ballast;
  constexpr std::size_t block = 128 * 1024;
  while (secret_arena_state().bytes_used + block + kArenaReserveBytes <=
         secret_arena_state().bytes_total) {
    ballast.push_back(Secret::of_size(block));
  }
  for (int i = 0; i < 3; ++i) ballast.push_back(Secret::of_size(64 * 1024));

  EXPECT_EQ(vault_.add(about("x"), Secret::copy_of(kKey)).error(), VaultError::too_long);
  EXPECT_EQ(vault_.rotate_key(id, Secret::copy_of(kKey)).error(), VaultError::too_long);
  EXPECT_EQ(vault_.open_all().error(), VaultError::too_long);
  ballast.clear();
  EXPECT_EQ(opened(id), kKey);
}

TEST_F(VaultTest, AHintIsGivenForLongKeysOnly) {
  EXPECT_EQ(vault_.add(about("a"), Secret::copy_of("0123456789abcdef"))->hint, "cdef");
  EXPECT_EQ(vault_.add(about("b"), Secret::copy_of("0123456789abcde"))->hint, "");
}

TEST_F(VaultTest, AnEndpointWithoutAKeyHasToSaySo) {
  Credential endpoint = about("own");
  endpoint.has_key = false;
  const auto added = vault_.add(endpoint, Secret());
  ASSERT_TRUE(added);
  EXPECT_FALSE(added->has_key);
  EXPECT_EQ(opened(added->id), "");

  endpoint.name = "other";
  EXPECT_EQ(vault_.add(endpoint, Secret::copy_of(kKey)).error(), VaultError::malformed);
}

TEST_F(VaultTest, TwoCredentialsOfAnOwnerDoNotShareAName) {
  add("main");
  EXPECT_EQ(vault_.add(about("main"), Secret::copy_of(kKey)).error(), VaultError::exists);
}

TEST_F(VaultTest, ARenewedKeyKeepsTheCredential) {
  const CredentialId id = add("main");
  const auto renewed = vault_.rotate_key(id, Secret::copy_of("sk-live-renewed-9876\n"));
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->id, id);
  EXPECT_EQ(renewed->hint, "9876");
  EXPECT_EQ(renewed->name, "main");
  EXPECT_EQ(opened(id), "sk-live-renewed-9876");
  EXPECT_EQ(vault_.rotate_key(CredentialId{99}, Secret::copy_of(kKey)).error(),
            VaultError::not_found);
  EXPECT_EQ(vault_.rotate_key(id, Secret()).error(), VaultError::malformed);
}

TEST_F(VaultTest, ANewKeyIsNotSealedToAHostThatSomebodyWroteIntoTheDatabase) {
  const CredentialId id = add("main");
  store_.rows[id].about.base_url = "https://evil.test/v1";
  EXPECT_EQ(vault_.rotate_key(id, Secret::copy_of(kKey)).error(), VaultError::tampered);
}

TEST_F(VaultTest, DisablingIsKeptAndLeavesTheKeyAlone) {
  const CredentialId id = add("main");
  ASSERT_TRUE(vault_.set_disabled(id, true));
  EXPECT_TRUE(vault_.open_all().value()->find(id)->about.disabled);
  EXPECT_EQ(opened(id), kKey);
  ASSERT_TRUE(vault_.set_disabled(id, false));
  EXPECT_FALSE(vault_.open_all().value()->find(id)->about.disabled);
  EXPECT_EQ(vault_.set_disabled(CredentialId{99}, true).error(), VaultError::not_found);
  ASSERT_TRUE(vault_.set_allows_unbounded(id, true));
  EXPECT_TRUE(vault_.open_all().value()->find(id)->about.allows_unbounded);
}

TEST_F(VaultTest, WhatIsRemovedIsGone) {
  const CredentialId id = add("main");
  ASSERT_TRUE(vault_.remove(id));
  EXPECT_EQ(opened(id), "(not there)");
  EXPECT_EQ(vault_.remove(id).error(), VaultError::not_found);
}

TEST_F(VaultTest, ATamperedRowIsNamedAndTheOthersOpen) {
  const CredentialId moved = add("a");
  const CredentialId sound = add("b");
  store_.rows[moved].about.owner = OwnerId{4};

  EXPECT_EQ(opened(sound), kKey);
  EXPECT_EQ(opened(moved), "(not there)");
  EXPECT_EQ(vault_.tampered(), std::vector{moved});
  store_.rows[moved].about.owner = OwnerId{3};
  EXPECT_EQ(opened(moved), kKey);
  EXPECT_TRUE(vault_.tampered().empty());
}

TEST_F(VaultTest, NothingOpensUnderAnotherRootKey) {
  const CredentialId id = add("a");
  Vault other(store_, copy_of(next_bytes_));
  EXPECT_TRUE(other.open_all().value()->entries().empty());
  EXPECT_EQ(other.tampered(), std::vector{id});
}

TEST_F(VaultTest, ManyChangesUnderALongStreamDoNotFillTheArena) {
  for (int i = 0; i < 100; ++i) add("n" + std::to_string(i), std::string(1000, 'k'));
  std::vector<std::shared_ptr<const OpenCredentials>> held{vault_.open_all().value()};
  const std::size_t used = secret_arena_state().bytes_used;
  for (int i = 0; i < 100; ++i) held.push_back(vault_.open_all().value());
  EXPECT_EQ(secret_arena_state().bytes_used, used);
}

TEST_F(VaultTest, ASnapshotIsUntouchedByLaterChanges) {
  const CredentialId id = add("a");
  const auto before = vault_.open_all().value();
  ASSERT_TRUE(vault_.rotate_key(id, Secret::copy_of("sk-another-key-entirely")));
  const auto after = vault_.open_all().value();
  EXPECT_EQ(before->find(id)->key.reveal(), kKey);
  EXPECT_EQ(after->find(id)->key.reveal(), "sk-another-key-entirely");
}

TEST_F(VaultTest, ANamedSecretIsMadeOnceAndStays) {
  const Secret made = vault_.named_secret("virtual-key-hash-key", 32).value();
  EXPECT_EQ(made.size(), 32u);
  EXPECT_TRUE(equal_constant_time(vault_.named_secret("virtual-key-hash-key", 32).value(), made));
  EXPECT_FALSE(equal_constant_time(vault_.named_secret("other", 32).value(), made));
  Vault restarted(store_, copy_of(root_bytes_));
  EXPECT_TRUE(
      equal_constant_time(restarted.named_secret("virtual-key-hash-key", 32).value(), made));
}

TEST_F(VaultTest, ANamedSecretThatDoesNotOpenIsNotQuietlyReplaced) {
  ASSERT_TRUE(vault_.named_secret("a", 32));
  ASSERT_TRUE(vault_.named_secret("b", 32));
  store_.secrets["a"] = store_.secrets["b"];
  EXPECT_EQ(vault_.named_secret("a", 32).error(), VaultError::tampered);
  EXPECT_EQ(vault_.named_secret("b", 16).error(), VaultError::tampered);
}

TEST_F(VaultTest, AStoreThatFailsIsReportedAsThat) {
  const CredentialId id = add("a");
  store_.unavailable = true;
  EXPECT_EQ(vault_.add(about("b"), Secret::copy_of(kKey)).error(), VaultError::unavailable);
  EXPECT_EQ(vault_.rotate_key(id, Secret::copy_of(kKey)).error(), VaultError::unavailable);
  EXPECT_EQ(vault_.set_disabled(id, true).error(), VaultError::unavailable);
  EXPECT_EQ(vault_.remove(id).error(), VaultError::unavailable);
  EXPECT_EQ(vault_.open_all().error(), VaultError::unavailable);
  EXPECT_EQ(vault_.named_secret("x", 32).error(), VaultError::unavailable);
  EXPECT_EQ(vault_.rewrap(copy_of(next_bytes_)).error(), VaultError::unavailable);
}

TEST_F(VaultTest, ANewRootKeyOpensEverythingAndTheOldOneNothing) {
  const CredentialId id = add("a");
  const Secret named = vault_.named_secret("n", 32).value();
  const std::string sealed = store_.rows[id].sealed_key;
  ASSERT_TRUE(vault_.rewrap(copy_of(next_bytes_)));

  EXPECT_EQ(opened(id), kKey);
  EXPECT_EQ(store_.rows[id].sealed_key, sealed);
  EXPECT_EQ(vault_.root_key_id(), copy_of(next_bytes_)->id_text());
  Vault under_next(store_, copy_of(next_bytes_));
  EXPECT_EQ(under_next.open_all().value()->find(id)->key.reveal(), kKey);
  EXPECT_TRUE(equal_constant_time(under_next.named_secret("n", 32).value(), named));
  Vault under_old(store_, copy_of(root_bytes_));
  EXPECT_TRUE(under_old.open_all().value()->entries().empty());
  EXPECT_EQ(under_old.named_secret("n", 32).error(), VaultError::tampered);
}

TEST_F(VaultTest, ARowThatDoesNotOpenStopsARewrapBeforeItTouchesAnything) {
  const CredentialId sound = add("a");
  const CredentialId broken = add("b");
  const auto wrapped = store_.rows[sound].wrapped_data_key;
  store_.rows[broken].wrapped_data_key = wrapped;  // Another credential's.

  EXPECT_EQ(vault_.rewrap(copy_of(next_bytes_)).error(), VaultError::tampered);
  EXPECT_EQ(vault_.tampered(), std::vector{broken});
  EXPECT_EQ(store_.rows[sound].wrapped_data_key, wrapped);
  EXPECT_EQ(opened(sound), kKey);
}

TEST_F(VaultTest, AnUncertainCommitIsLookedUpBeforeAnythingElseIsWrapped) {
  for (const Fault fault : {Fault::fail_before_commit, Fault::fail_after_commit}) {
    MemoryVaultStore store;
    Vault vault(store, copy_of(root_bytes_));
    const CredentialId first = vault.add(about("a"), Secret::copy_of(kKey))->id;
    store.fault = fault;
    store.unavailable_after_fault = true;
    EXPECT_EQ(vault.rewrap(copy_of(next_bytes_)).error(), VaultError::unavailable);
    if (store.unavailable) {
      EXPECT_EQ(vault.add(about("b"), Secret::copy_of(kKey)).error(), VaultError::unavailable);
    }
    store.unavailable = false;
    const CredentialId second = vault.add(about("b"), Secret::copy_of(kKey))->id;

    const bool committed = fault == Fault::fail_after_commit;
    Vault restarted(store, copy_of(committed ? next_bytes_ : root_bytes_));
    const auto all = restarted.open_all().value();
    EXPECT_NE(all->find(first), nullptr);
    EXPECT_NE(all->find(second), nullptr);
  }
}

TEST_F(VaultTest, ACommitThatOnlySoundedLikeAFailureIsASuccess) {
  const CredentialId id = add("a");
  store_.fault = Fault::fail_after_commit;
  EXPECT_TRUE(vault_.rewrap(copy_of(next_bytes_)));
  EXPECT_EQ(opened(id), kKey);
}

TEST_F(VaultTest, EveryErrorSaysWhatToDo) {
  for (const VaultError error :
       {VaultError::tampered, VaultError::not_found, VaultError::exists, VaultError::too_long,
        VaultError::malformed, VaultError::unavailable}) {
    EXPECT_NE(explain(error).find(". "), std::string_view::npos);
  }
}

}  // namespace
}  // namespace claviger::vault
