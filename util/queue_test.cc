#include "util/queue.h"

#include <gtest/gtest.h>

#include <string>

struct item {
  char name;
  EVENT_TAILQ_ENTRY_(item) link;
  EVENT_LIST_ENTRY_(item) list_link;
};
EVENT_TAILQ_HEAD_(item_queue, item);

static std::string Names(struct item_queue *queue) {
  std::string names;
  struct item *item;
  EV_TAILQ_FOREACH(item, queue, link) names += item->name;
  return names;
}

static struct item NewItem(char name) {
  struct item item = {};
  item.name = name;
  return item;
}

class QueueTest : public testing::Test {
 protected:
  void SetUp() override { EV_TAILQ_INIT(&queue_); }
  struct item_queue queue_;
  struct item a_ = NewItem('a'), b_ = NewItem('b'), c_ = NewItem('c'), d_ = NewItem('d');
};

TEST_F(QueueTest, PushAndInsert) {
  EXPECT_TRUE(EV_TAILQ_EMPTY(&queue_));
  EV_TAILQ_PUSH_FRONT(&queue_, &b_, link);
  EV_TAILQ_PUSH_FRONT(&queue_, &a_, link);
  EV_TAILQ_PUSH_BACK(&queue_, &d_, link);
  EV_TAILQ_INSERT_AFTER(&queue_, &b_, &c_, link);
  EXPECT_EQ("abcd", Names(&queue_));
  EXPECT_EQ(&a_, EV_TAILQ_FIRST(&queue_));
  EXPECT_EQ(&b_, EV_TAILQ_NEXT(&a_, link));
}

TEST_F(QueueTest, InsertAfterTheLastMovesTheEnd) {
  EV_TAILQ_PUSH_BACK(&queue_, &a_, link);
  EV_TAILQ_INSERT_AFTER(&queue_, &a_, &b_, link);
  EV_TAILQ_PUSH_BACK(&queue_, &c_, link);
  EXPECT_EQ("abc", Names(&queue_));
}

TEST_F(QueueTest, RemoveEverywhere) {
  for (struct item *item : {&a_, &b_, &c_, &d_}) EV_TAILQ_PUSH_BACK(&queue_, item, link);
  EV_TAILQ_REMOVE(&queue_, &b_, link);
  EXPECT_EQ("acd", Names(&queue_));
  EV_TAILQ_REMOVE(&queue_, &d_, link);
  EV_TAILQ_REMOVE(&queue_, &a_, link);
  EV_TAILQ_PUSH_BACK(&queue_, &b_, link);
  EXPECT_EQ("cb", Names(&queue_));
  EV_TAILQ_REMOVE(&queue_, &c_, link);
  EV_TAILQ_REMOVE(&queue_, &b_, link);
  EXPECT_TRUE(EV_TAILQ_EMPTY(&queue_));
}

TEST_F(QueueTest, ElementsMayLeaveDuringTheWalk) {
  for (struct item *item : {&a_, &b_, &c_}) EV_TAILQ_PUSH_BACK(&queue_, item, link);
  struct item *item, *next;
  EV_TAILQ_FOREACH_SAFE(item, next, &queue_, link) {
    EV_TAILQ_REMOVE(&queue_, item, link);
    item->link.tqe_next = nullptr;
  }
  EXPECT_TRUE(EV_TAILQ_EMPTY(&queue_));
}

TEST_F(QueueTest, Concatenate) {
  struct item_queue other;
  EV_TAILQ_INIT(&other);
  EV_TAILQ_CONCAT(&queue_, &other, link);
  EXPECT_EQ("", Names(&queue_));
  EV_TAILQ_PUSH_BACK(&other, &a_, link);
  EV_TAILQ_PUSH_BACK(&other, &b_, link);
  EV_TAILQ_CONCAT(&queue_, &other, link);
  EXPECT_TRUE(EV_TAILQ_EMPTY(&other));
  EV_TAILQ_PUSH_BACK(&other, &c_, link);
  EV_TAILQ_CONCAT(&queue_, &other, link);
  EV_TAILQ_PUSH_BACK(&queue_, &d_, link);
  EXPECT_EQ("abcd", Names(&queue_));
}

TEST_F(QueueTest, ListRemove) {
  struct item *first = nullptr;
  for (struct item *item : {&a_, &b_, &c_}) EV_LIST_PUSH_FRONT(&first, item, list_link);
  EXPECT_EQ(&c_, first);
  EV_LIST_REMOVE(&b_, list_link);
  EXPECT_EQ(&a_, c_.list_link.le_next);
  EV_LIST_REMOVE(&c_, list_link);
  EXPECT_EQ(&a_, first);
  EV_LIST_REMOVE(&a_, list_link);
  EXPECT_EQ(nullptr, first);
}

TEST_F(QueueTest, ContainerOf) {
  EXPECT_EQ(&a_, STRATA_CONTAINER_OF(&a_.link, struct item, link));
}
