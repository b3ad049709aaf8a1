#pragma once

/// The way of a thing from many threads to one: many push, one takes all.
///
/// A stack whose head is swung by compare-and-swap and emptied by one exchange, then reversed.
/// Taking everything at once leaves no room for the ABA problem of popping single nodes, and
/// a pusher that the kernel stops half-way holds nobody up, as it would with a lock. Memory is
/// used only for what waits.

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace claviger::record {

template <typename T>
class SubmissionQueue {
 public:
  SubmissionQueue() = default;
  ~SubmissionQueue() { take_into_nothing(); }
  SubmissionQueue(const SubmissionQueue&) = delete;
  SubmissionQueue& operator=(const SubmissionQueue&) = delete;

  /// Threads: any, concurrently.
  void push(T&& value) {
    Node* const node = new Node{std::move(value), head_.load(std::memory_order_relaxed)};
    // release: whoever takes the node sees the value, and the nodes below it through the
    // release sequence of their own pushes.
    while (!head_.compare_exchange_weak(node->below, node, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
  }

  /// Appends everything pushed so far to `out`; what one thread pushed comes in its order.
  /// Threads: one at a time.
  void take_all(std::vector<T>& out) {
    Node* node = head_.exchange(nullptr, std::memory_order_acquire);
    Node* oldest = nullptr;
    while (node != nullptr) {
      Node* const below = node->below;
      node->below = oldest;
      oldest = node;
      node = below;
    }
    while (oldest != nullptr) {
      const std::unique_ptr<Node> taken(oldest);
      out.push_back(std::move(taken->value));
      oldest = taken->below;
    }
  }

 private:
  struct Node {
    T value;
    Node* below;
  };
  void take_into_nothing() {
    std::vector<T> dropped;
    take_all(dropped);
  }

  std::atomic<Node*> head_{nullptr};
};

}  // namespace claviger::record
