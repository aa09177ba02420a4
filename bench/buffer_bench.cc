// Buffers, through the public API only: built against strata and against the installed libevent,
// so that the ratio of the two comes from one machine and one moment.
#include <benchmark/benchmark.h>
#include <event2/buffer.h>

#include <cstring>
#include <string>

namespace {

void BM_NewFree(benchmark::State &state) {
  for (auto _ : state) {
    struct evbuffer *buf = evbuffer_new();
    evbuffer_free(buf);
  }
}
BENCHMARK(BM_NewFree);

void BM_NewAddFree(benchmark::State &state) {
  const std::string data(200, 'x');
  for (auto _ : state) {
    struct evbuffer *buf = evbuffer_new();
    evbuffer_add(buf, data.data(), data.size());
    evbuffer_free(buf);
  }
}
BENCHMARK(BM_NewAddFree);

void BM_AddDrain(benchmark::State &state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    evbuffer_add(buf, data.data(), data.size());
    evbuffer_drain(buf, data.size());
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_AddDrain)->Arg(64)->Arg(4096)->Arg(65536);

// A queue that never runs empty: a partial drain for every append.
void BM_AddRemoveQueue(benchmark::State &state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::string out(data.size(), '\0');
  struct evbuffer *buf = evbuffer_new();
  for (int i = 0; i < 16; i++) evbuffer_add(buf, data.data(), data.size());
  for (auto _ : state) {
    evbuffer_add(buf, data.data(), data.size());
    evbuffer_remove(buf, &out[0], out.size());
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_AddRemoveQueue)->Arg(64)->Arg(4096);

void BM_Fill1MiB(benchmark::State &state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    struct evbuffer *buf = evbuffer_new();
    for (size_t len = 0; len < (1 << 20); len += data.size()) {
      evbuffer_add(buf, data.data(), data.size());
    }
    evbuffer_free(buf);
  }
}
BENCHMARK(BM_Fill1MiB)->Arg(64)->Arg(4096);

void BM_PrintfLine(benchmark::State &state) {
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    evbuffer_add_printf(buf, "%s: %d\r\n", "Content-Length", 12345);
    if (evbuffer_get_length(buf) > 3000) evbuffer_drain(buf, evbuffer_get_length(buf));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_PrintfLine);

void BM_Move(benchmark::State &state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  struct evbuffer *from = evbuffer_new();
  struct evbuffer *to = evbuffer_new();
  for (auto _ : state) {
    evbuffer_add(from, data.data(), data.size());
    evbuffer_add_buffer(to, from);
    evbuffer_drain(to, data.size());
  }
  evbuffer_free(from);
  evbuffer_free(to);
}
BENCHMARK(BM_Move)->Arg(64)->Arg(4096);

// Back and forth: nothing but the move.
void BM_MoveOnly(benchmark::State &state) {
  const std::string data(3000, 'x');
  struct evbuffer *a = evbuffer_new();
  struct evbuffer *b = evbuffer_new();
  evbuffer_add(a, data.data(), data.size());
  for (auto _ : state) {
    evbuffer_add_buffer(b, a);
    evbuffer_add_buffer(a, b);
  }
  evbuffer_free(a);
  evbuffer_free(b);
}
BENCHMARK(BM_MoveOnly);

void BM_Reference(benchmark::State &state) {
  static const char data[] = "some constant data";
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    evbuffer_add_reference(buf, data, sizeof(data), nullptr, nullptr);
    evbuffer_drain(buf, sizeof(data));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_Reference);

void BM_Prepend(benchmark::State &state) {
  const std::string data(64, 'x');
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    evbuffer_prepend(buf, data.data(), data.size());
    if (evbuffer_get_length(buf) > 3000) evbuffer_drain(buf, evbuffer_get_length(buf));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_Prepend);

// One 60-byte line of many in a block.
void BM_SearchEol(benchmark::State &state) {
  const auto style = static_cast<enum evbuffer_eol_style>(state.range(0));
  const std::string line = std::string(60, 'x') + "\r\n";
  struct evbuffer *buf = evbuffer_new();
  for (int i = 0; i < 16; i++) evbuffer_add(buf, line.data(), line.size());
  for (auto _ : state) {
    size_t eol_len;
    benchmark::DoNotOptimize(evbuffer_search_eol(buf, nullptr, &eol_len, style));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_SearchEol)
    ->Arg(EVBUFFER_EOL_ANY)
    ->Arg(EVBUFFER_EOL_CRLF)
    ->Arg(EVBUFFER_EOL_CRLF_STRICT)
    ->Arg(EVBUFFER_EOL_LF);

void BM_Readln(benchmark::State &state) {
  const std::string line = std::string(60, 'x') + "\r\n";
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    evbuffer_add(buf, line.data(), line.size());
    free(evbuffer_readln(buf, nullptr, EVBUFFER_EOL_CRLF));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_Readln);

void BM_Search(benchmark::State &state) {
  struct evbuffer *buf = evbuffer_new();
  for (int i = 0; i < 200; i++) evbuffer_add(buf, "the quick brown fox\r\n", 21);
  evbuffer_add(buf, "\r\n\r\n", 4);
  for (auto _ : state) benchmark::DoNotOptimize(evbuffer_search(buf, "\r\n\r\n", 4, nullptr));
  evbuffer_free(buf);
}
BENCHMARK(BM_Search);

void BM_Pullup(benchmark::State &state) {
  const std::string data(600, 'x');
  for (auto _ : state) {
    struct evbuffer *buf = evbuffer_new();
    for (int i = 0; i < 8; i++) {
      evbuffer_add_reference(buf, data.data(), data.size(), nullptr, nullptr);
    }
    benchmark::DoNotOptimize(evbuffer_pullup(buf, -1));
    evbuffer_free(buf);
  }
}
BENCHMARK(BM_Pullup);

void BM_ReserveCommit(benchmark::State &state) {
  struct evbuffer *buf = evbuffer_new();
  for (auto _ : state) {
    struct evbuffer_iovec vec[2];
    evbuffer_reserve_space(buf, 1500, vec, 2);
    vec[0].iov_len = 700;
    evbuffer_commit_space(buf, vec, 1);
    evbuffer_drain(buf, 700);
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_ReserveCommit);

void BM_Peek(benchmark::State &state) {
  struct evbuffer *buf = evbuffer_new();
  for (int i = 0; i < 8; i++) evbuffer_add_reference(buf, "0123456789", 10, nullptr, nullptr);
  for (auto _ : state) {
    struct evbuffer_iovec vec[8];
    benchmark::DoNotOptimize(evbuffer_peek(buf, -1, nullptr, vec, 8));
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_Peek);

void CountBytes(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  *static_cast<size_t *>(arg) += info->n_added;
}

void BM_AddDrainWithCallback(benchmark::State &state) {
  size_t added = 0;
  struct evbuffer *buf = evbuffer_new();
  evbuffer_add_cb(buf, CountBytes, &added);
  for (auto _ : state) {
    evbuffer_add(buf, "0123456789", 10);
    evbuffer_drain(buf, 10);
  }
  evbuffer_free(buf);
}
BENCHMARK(BM_AddDrainWithCallback);

}  // namespace
