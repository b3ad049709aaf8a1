#include "access/directory.h"

#include <gtest/gtest.h>

#include <string>

#include "access/key_format.h"

namespace claviger::access {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

class DirectoryTest : public testing::Test {
 protected:
  NewKey issue(KeyType type = KeyType::virtual_key) { return make_key(type, *hash_key_); }

  VirtualKey row(std::int64_t id, const NewKey& key) const {
    VirtualKey made;
    made.id = VirtualKeyId{id};
    made.hash = key.hash;
    made.hint = key.hint;
    made.owner = OwnerId{1};
    made.app = AppId{2};
    return made;
  }

  static AdminKey admin_row(std::int64_t id, const NewKey& key) {
    AdminKey made;
    made.id = AdminKeyId{id};
    made.hash = key.hash;
    return made;
  }

  static Owner owner(std::int64_t id, std::string name) {
    Owner made;
    made.id = OwnerId{id};
    made.name = std::move(name);
    return made;
  }

  Directory with_keys(std::vector<VirtualKey> keys) const {
    return Directory({}, {}, std::move(keys), {}, hash_key_);
  }

  ManualClock clock_;
  std::shared_ptr<const Secret> hash_key_ =
      std::make_shared<const Secret>(Secret::copy_of(std::string(kHashKeyBytes, 'h')));
};

TEST_F(DirectoryTest, AKeyLeadsToItsOwnRow) {
  std::vector<NewKey> issued;
  std::vector<VirtualKey> rows;
  for (std::int64_t id = 1; id <= 200; ++id) {
    issued.push_back(issue());
    rows.push_back(row(id, issued.back()));
  }
  const Directory directory = with_keys(std::move(rows));

  for (std::int64_t id = 1; id <= 200; ++id) {
    const auto found = directory.authenticate(
        issued[static_cast<std::size_t>(id - 1)].text.reveal(), clock_.wall_now());
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)->id, VirtualKeyId{id});
    EXPECT_NE((*found)->pace, nullptr);
  }
}

TEST_F(DirectoryTest, AStrangersKeyIsUnknown) {
  const NewKey known = issue();
  const NewKey stranger = issue();
  const Directory directory = with_keys({row(1, known)});

  EXPECT_EQ(directory.authenticate(stranger.text.reveal(), clock_.wall_now()),
            std::unexpected(AccessError::unknown));
  EXPECT_EQ(directory.authenticate("", clock_.wall_now()), std::unexpected(AccessError::missing));
  EXPECT_EQ(directory.authenticate("sk-abc", clock_.wall_now()),
            std::unexpected(AccessError::malformed));
}

TEST_F(DirectoryTest, AKeyOfAnotherInstallationIsUnknown) {
  const Secret other = Secret::copy_of(std::string(kHashKeyBytes, 'o'));
  const NewKey theirs = make_key(KeyType::virtual_key, other);
  const Directory directory = with_keys({row(1, theirs)});

  EXPECT_EQ(directory.authenticate(theirs.text.reveal(), clock_.wall_now()),
            std::unexpected(AccessError::unknown));
}

TEST_F(DirectoryTest, ARevokedKeyIsRefusedEvenIfItHasExpiredToo) {
  const NewKey key = issue();
  VirtualKey revoked = row(1, key);
  revoked.revoked_at = clock_.wall_now();
  revoked.expires_at = clock_.wall_now();
  const Directory directory = with_keys({revoked});

  EXPECT_EQ(directory.authenticate(key.text.reveal(), clock_.wall_now()),
            std::unexpected(AccessError::revoked));
}

TEST_F(DirectoryTest, AKeyEndsAtTheMomentItExpires) {
  const NewKey key = issue();
  VirtualKey expiring = row(1, key);
  expiring.expires_at = clock_.wall_now() + hours{1};
  const Directory directory = with_keys({expiring});

  clock_.advance(hours{1} - microseconds{1});
  EXPECT_TRUE(directory.authenticate(key.text.reveal(), clock_.wall_now()));
  clock_.advance(microseconds{1});
  EXPECT_EQ(directory.authenticate(key.text.reveal(), clock_.wall_now()),
            std::unexpected(AccessError::expired));
}

TEST_F(DirectoryTest, AdminKeysAndVirtualKeysDoNotStandInForEachOther) {
  const NewKey virtual_key = issue();
  const NewKey admin = issue(KeyType::admin);
  // Even where a row of one sort holds a hash of the other.
  const Directory directory({}, {}, {row(1, virtual_key), row(2, admin)},
                            {admin_row(5, admin), admin_row(6, virtual_key)}, hash_key_);

  const auto found = directory.authenticate_admin(admin.text.reveal());
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->id, AdminKeyId{5});
  EXPECT_EQ(directory.authenticate(admin.text.reveal(), clock_.wall_now()),
            std::unexpected(AccessError::unknown));
  EXPECT_EQ(directory.authenticate_admin(virtual_key.text.reveal()),
            std::unexpected(AccessError::unknown));
}

TEST_F(DirectoryTest, ARevokedAdminKeyIsRefused) {
  const NewKey admin = issue(KeyType::admin);
  AdminKey revoked = admin_row(5, admin);
  revoked.revoked_at = clock_.wall_now();
  const Directory directory({}, {}, {}, {revoked}, hash_key_);

  EXPECT_EQ(directory.authenticate_admin(admin.text.reveal()),
            std::unexpected(AccessError::revoked));
}

TEST_F(DirectoryTest, ADamagedRowLetsNobodyInAndHarmsNoOther) {
  const NewKey key = issue();
  VirtualKey damaged = row(1, key);
  damaged.hash.resize(31);
  const Directory directory = with_keys({damaged, row(2, key)});

  EXPECT_EQ((*directory.authenticate(key.text.reveal(), clock_.wall_now()))->id, VirtualKeyId{2});
  EXPECT_NE(directory.find_key(VirtualKeyId{1}), nullptr);
}

TEST_F(DirectoryTest, FindsOwnersAndAppsByIdAndName) {
  App chat;
  chat.id = AppId{9};
  chat.name = "chat";
  const Directory directory({owner(3, "ada"), owner(1, "bob")}, {chat}, {}, {}, hash_key_);

  EXPECT_EQ(directory.find_owner(OwnerId{3})->name, "ada");
  EXPECT_EQ(directory.find_owner("bob")->id, OwnerId{1});
  EXPECT_EQ(directory.find_owner("eve"), nullptr);
  EXPECT_EQ(directory.find_owner(OwnerId{2}), nullptr);
  EXPECT_EQ(directory.find_app(AppId{9})->name, "chat");
  EXPECT_EQ(directory.find_app("chat")->id, AppId{9});
  EXPECT_EQ(directory.find_app("mail"), nullptr);
  EXPECT_EQ(directory.find_key(VirtualKeyId{1}), nullptr);
  EXPECT_EQ(directory.owners().size(), 2u);
}

TEST_F(DirectoryTest, AnotherKeysChangeDoesNotGiveACallerAFreshMinute) {
  const NewKey first = issue();
  const NewKey second = issue();
  const Directory before = with_keys({row(1, first)});
  const PaceLimits one_a_minute{.requests_per_minute = 1};
  ASSERT_TRUE(before.find_key(VirtualKeyId{1})->pace->enter(one_a_minute, clock_.now()));

  std::vector<VirtualKey> rows{row(1, first), row(2, second)};
  carry_paces(&before, rows);
  const Directory after = with_keys(std::move(rows));

  EXPECT_FALSE(after.find_key(VirtualKeyId{1})->pace->enter(one_a_minute, clock_.now()));
  EXPECT_TRUE(after.find_key(VirtualKeyId{2})->pace->enter(one_a_minute, clock_.now()));
}

TEST_F(DirectoryTest, EveryRefusalSaysWhatToDo) {
  for (const AccessError error :
       {AccessError::missing, AccessError::malformed, AccessError::unknown, AccessError::revoked,
        AccessError::expired}) {
    EXPECT_NE(explain(error).find(". "), std::string_view::npos);
    EXPECT_EQ(explain(error).back(), '.');
  }
}

}  // namespace
}  // namespace claviger::access
