// The limits of pairs, on a virtual clock: exact to the byte and the tick. libevent's have none.
#include "net/rate_limit_sim_testing.h"
#include "util/testing/counting_memory.h"

namespace {

const size_t kMuch = 1 << 16;

// A pair whose second half reads what the first writes, and notes when it came.
struct LimitedPair {
  LimitedPair(struct strata_sim *sim, struct event_base *base, int options = 0) : sim_(sim) {
    struct bufferevent *halves[2];
    EXPECT_EQ(0, bufferevent_pair_new(base, options, halves));
    writer.reset(new Bev(halves[0]));
    reader.reset(new Bev(halves[1]));
    reader->on_read = [this] { Note(); };
    reader->Enable(EV_READ);
  }
  void Write(size_t len) { EXPECT_EQ(0, writer->Write(std::string(len, 'x'))); }
  void Note() {
    const int64_t ms = (strata_sim_now_ns(sim_) - start_ns_) / kMs;
    const size_t len = reader->received.size() - read_len;
    if (len == 0) return;
    read_len += len;
    if (!log.empty() && log.back().first == ms)
      log.back().second += len;
    else
      log.emplace_back(ms, len);
  }

  struct strata_sim *sim_;
  const int64_t start_ns_ = strata_sim_now_ns(sim_);
  std::unique_ptr<Bev> writer, reader;
  Log log;
  size_t read_len = 0;
};

class PairLimits : public RateSim {};

const Log kHundredASecond = {{0, 100}, {1000, 100}, {2000, 100}, {3000, 50}};

TEST_F(PairLimits, TheWritersLimit) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  pair.Write(350);
  Dispatch();
  EXPECT_EQ(kHundredASecond, pair.log);
  EXPECT_EQ(50, bufferevent_get_write_limit(*pair.writer));
  EXPECT_EQ(100, bufferevent_get_read_limit(*pair.writer));
}

TEST_F(PairLimits, TheReadersLimit) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.reader, cfg.get()));
  pair.Write(350);
  Dispatch();
  EXPECT_EQ(kHundredASecond, pair.log);
  EXPECT_EQ(50, bufferevent_get_read_limit(*pair.reader));
}

TEST_F(PairLimits, BothBind) {
  const Cfg slow = MakeCfg(100, 100), bursts = MakeCfg(50, 1000, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, bursts.get()));
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.reader, slow.get()));
  pair.Write(250);
  Dispatch();
  EXPECT_EQ((Log{{0, 50}, {100, 50}, {1000, 100}, {2000, 50}}), pair.log);
}

TEST_F(PairLimits, WritingAgainWhilePausedChangesNothing) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  for (int i = 0; i < 35; i++) {
    pair.Write(10);
    RunUntilMs(10 * (i + 1));
  }
  Dispatch();
  size_t sum = 0;
  for (const auto &entry : pair.log) {
    sum += entry.second;
    EXPECT_GE(100u * (static_cast<size_t>(entry.first) / 1000 + 1), sum);
  }
  EXPECT_EQ(350u, sum);
  EXPECT_EQ(3000, pair.log.back().first);
}

TEST_F(PairLimits, TakenAwayItGoesOnAtOnce) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.reader, cfg.get()));
  pair.Write(350);
  RunUntilMs(1500);
  EXPECT_EQ(200u, pair.read_len);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.reader, nullptr));
  Dispatch();
  EXPECT_EQ((Log{{0, 100}, {1000, 100}, {1500, 150}}), pair.log);
}

// A flush is an order, but what it moved is paid for.
TEST_F(PairLimits, FlushGoesIntoDebt) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  pair.Write(250);
  EXPECT_EQ(1, bufferevent_flush(*pair.writer, EV_WRITE, BEV_FLUSH));
  EXPECT_EQ(-150, bufferevent_get_write_limit(*pair.writer));
  pair.Write(10);
  Dispatch();
  EXPECT_EQ((Log{{0, 250}, {2000, 10}}), pair.log);
}

TEST_F(PairLimits, WatermarkAndLimit) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  pair.reader->StopTaking();
  pair.reader->Watermark(EV_READ, 0, 130);
  pair.Write(350);
  RunUntilMs(5500);
  EXPECT_EQ(130u, pair.reader->input_len());
  pair.reader->Take();
  EXPECT_EQ(230u, pair.reader->received.size());  // And the tokens that were there.
  RunUntilMs(6500);
  EXPECT_EQ(100u, pair.reader->input_len());
  RunUntilMs(7500);
  EXPECT_EQ(120u, pair.reader->input_len());
}

TEST_F(PairLimits, PausedDoesNotTimeOut) {
  const Cfg cfg = MakeCfg(100, 100, 5000);
  LimitedPair pair(sim_, base_);
  const struct timeval second = Ms(1000);
  EXPECT_EQ(0, bufferevent_set_timeouts(*pair.writer, &second, &second));
  EXPECT_EQ(0, bufferevent_set_timeouts(*pair.reader, &second, &second));
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.reader, cfg.get()));
  pair.Write(150);
  RunUntilMs(4900);
  EXPECT_TRUE(pair.writer->events.empty());
  EXPECT_TRUE(pair.reader->events.empty());
  // After the pause the reader waits in vain.
  RunUntilMs(9000);
  EXPECT_EQ((Log{{0, 100}, {5000, 50}}), pair.log);
  EXPECT_TRUE(pair.writer->events.empty());
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, pair.reader->events);
}

// The writer pauses in its reader's call, and must begin to wait again when it goes on.
TEST_F(PairLimits, TimeoutAfterAPause) {
  const Cfg cfg = MakeCfg(100, 100, 5000);
  LimitedPair pair(sim_, base_);
  const struct timeval second = Ms(1000);
  EXPECT_EQ(0, bufferevent_set_timeouts(*pair.writer, nullptr, &second));
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  pair.reader->Disable(EV_READ);
  pair.Write(150);
  RunUntilMs(500);
  pair.reader->Enable(EV_READ);
  RunUntilMs(4000);
  EXPECT_EQ(100u, pair.read_len);
  EXPECT_TRUE(pair.writer->events.empty());
  pair.reader->Disable(EV_READ);
  RunUntilMs(5900);
  EXPECT_TRUE(pair.writer->events.empty());
  RunUntilMs(6100);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT}, pair.writer->events);
}

TEST_F(PairLimits, FilterOverALimitedPair) {
  const Cfg cfg = MakeCfg(100, 100);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  struct bufferevent *filter =
      bufferevent_filter_new(*pair.writer, nullptr, nullptr, 0, nullptr, nullptr);
  bufferevent_write(filter, std::string(350, 'x').data(), 350);
  Dispatch();
  EXPECT_EQ(kHundredASecond, pair.log);
  bufferevent_free(filter);
}

TEST_F(PairLimits, GroupIsSharedFairly) {
  Group group(base_, MakeCfg(1000, 1000));
  bufferevent_rate_limit_group_set_min_share(group, 100);
  std::vector<std::unique_ptr<LimitedPair>> pairs;
  Conn conn(sim_, base_);
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(conn.bev, group));
  conn.Flood();
  for (int i = 0; i < 3; i++) {
    pairs.emplace_back(new LimitedPair(sim_, base_));
    EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*pairs[i]->reader, group));
    pairs[i]->Write(kMuch);
  }
  for (int s = 1; s <= 20; s++) {
    RunUntilMs(1000 * s - 500);
    EXPECT_EQ(1000u * s, group.TotalRead());
  }
  size_t sum = conn.read_len;
  for (const auto &pair : pairs) {
    EXPECT_NEAR(5000, static_cast<double>(pair->read_len), 1000);
    sum += pair->read_len;
  }
  EXPECT_EQ(20000u, sum);
}

TEST_F(PairLimits, BothHalvesInOneGroup) {
  Group group(base_, MakeCfg(100, 100));
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*pair.reader, group));
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*pair.writer, group));
  pair.Write(350);
  Dispatch();
  EXPECT_EQ(kHundredASecond, pair.log);
  EXPECT_EQ(350u, group.TotalRead());
  EXPECT_EQ(350u, group.TotalWritten());
}

TEST_F(PairLimits, FreedByCallbacks) {
  for (const bool frees_both : {false, true}) {
    const Cfg cfg = MakeCfg(100, 100);
    Group group(base_, cfg);
    LimitedPair pair(sim_, base_);
    for (Bev *bev : {pair.reader.get(), pair.writer.get()}) {
      EXPECT_EQ(0, bufferevent_set_rate_limit(*bev, cfg.get()));
      EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*bev, group));
    }
    pair.reader->on_read = [&] {
      if (frees_both) pair.writer->Free();
      pair.reader->Free();
    };
    pair.Write(350);
    Dispatch();
    EXPECT_EQ(100u, pair.reader->received.size());
    pair.writer->Free();
  }
}

// A callback of the buffer, in the middle of the transfer.
TEST_F(PairLimits, FreedInTheTransfer) {
  const Cfg cfg = MakeCfg(100, 100);
  Group group(base_, cfg);
  LimitedPair pair(sim_, base_);
  for (Bev *bev : {pair.reader.get(), pair.writer.get()}) {
    EXPECT_EQ(0, bufferevent_set_rate_limit(*bev, cfg.get()));
    EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*bev, group));
  }
  evbuffer_add_cb(
      pair.reader->input(),
      [](struct evbuffer *, const struct evbuffer_cb_info *, void *arg) {
        static_cast<LimitedPair *>(arg)->reader->Free();
        static_cast<LimitedPair *>(arg)->writer->Free();
      },
      &pair);
  struct bufferevent *writer = *pair.writer;
  bufferevent_write(writer, std::string(350, 'x').data(), 350);
  Dispatch();
  EXPECT_EQ(nullptr, pair.reader->get());
}

// What a callback of the buffer adds has its turn, and its tokens, after what is under way.
TEST_F(PairLimits, WrittenInTheTransfer) {
  const Cfg cfg = MakeCfg(100, 100);
  Group group(base_, cfg);
  LimitedPair pair(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(*pair.writer, cfg.get()));
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(*pair.reader, group));
  int num_left = 5;
  struct Writes {
    Bev *writer;
    int *num_left;
  } writes = {pair.writer.get(), &num_left};
  evbuffer_add_cb(
      pair.reader->input(),
      [](struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
        Writes *self = static_cast<Writes *>(arg);
        if (info->n_added == 0 || *self->num_left == 0) return;
        --*self->num_left;
        EXPECT_EQ(0, self->writer->Write(std::string(60, 'x')));
      },
      &writes);
  pair.Write(60);
  Dispatch();
  EXPECT_EQ((Log{{0, 100}, {1000, 100}, {2000, 100}, {3000, 60}}), pair.log);
  EXPECT_EQ(360u, group.TotalRead());
}

TEST_F(PairLimits, NoMemoryForTheTimerIsTold) {
  const QuietLog quiet;
  const Cfg cfg = MakeCfg(100, 100);
  for (const bool is_reader : {false, true}) {
    LimitedPair pair(sim_, base_);
    Bev &limited = is_reader ? *pair.reader : *pair.writer;
    EXPECT_EQ(0, bufferevent_set_rate_limit(limited, cfg.get()));
    const std::string bytes(350, 'x');
    struct evbuffer *pieces = evbuffer_new();
    for (int i = 0; i < 35; i++) evbuffer_add_reference(pieces, bytes.data(), 10, nullptr, nullptr);
    CountingMemory::Begin(1, CountingMemory::kAll);
    EXPECT_EQ(0, bufferevent_write_buffer(*pair.writer, pieces));
    CountingMemory::StopFailing();
    evbuffer_free(pieces);
    RunUntilMs(Now() / kMs + 1);
    if (!CountingMemory::has_failed()) continue;  // There was room for the timer.
    const short direction = is_reader ? BEV_EVENT_READING : BEV_EVENT_WRITING;
    EXPECT_EQ(std::vector<short>{static_cast<short>(BEV_EVENT_ERROR | direction)}, limited.events);
    EXPECT_EQ(0, limited.Enable(EV_READ | EV_WRITE));
    Dispatch();
    EXPECT_EQ(350u, pair.read_len);
  }
}

// The library's memory is the test's from the start: a block is freed by who made it.
const bool g_installed = [] {
  CountingMemory::Install(event_set_mem_functions);
  return true;
}();

}  // namespace
