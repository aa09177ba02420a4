// Bufferevents and listeners over TCP, through the public API only: built against strata and
// against the installed libevent. The benchmarks named "...Kernel" do the same with system calls
// alone, epoll included where one is waited for: no library can be faster.
//
// One thread does both ends. What a client does is the same plain system calls in all of them, so a
// ratio of two libraries here is nearer to 1 than that of two servers: bench/net_compare has those.
#include <benchmark/benchmark.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <sys/epoll.h>

#include <string>
#include <vector>

#include "bench/counted_memory.h"
#include "bench/tcp_pair.h"

namespace {

constexpr size_t kMessageLen = 64;
constexpr size_t kBlockLen = 64 * 1024;
constexpr size_t kBulkLen = 4 << 20;

class Base {
 public:
  Base() : base_(event_base_new()) {}
  ~Base() { event_base_free(base_); }
  Base(const Base &) = delete;
  Base &operator=(const Base &) = delete;
  operator struct event_base *() const { return base_; }
  void RunOnce() const { event_base_loop(base_, EVLOOP_ONCE); }

 private:
  struct event_base *base_;
};

bool SendMessage(int fd) {
  static const char message[kMessageLen] = {};
  return send(fd, message, kMessageLen, MSG_NOSIGNAL) == static_cast<ssize_t>(kMessageLen);
}

bool ReceiveMessage(int fd) {
  char message[kMessageLen];
  return recv(fd, message, kMessageLen, MSG_WAITALL) == static_cast<ssize_t>(kMessageLen);
}

std::vector<TcpPair> ManyPairs(int64_t num_pairs) {
  TcpListener listener;
  std::vector<TcpPair> pairs;
  for (int64_t i = 0; i < num_pairs; i++) {
    pairs.emplace_back(&listener);
    if (!pairs.back().is_open()) return {};
  }
  return pairs;
}

bool AreOpen(benchmark::State &state, const std::vector<TcpPair> &pairs) {
  if (pairs.empty()) state.SkipWithError("no sockets");
  return !pairs.empty();
}

// --- Echo: a message on every connection, then the answers ---

void Echo(struct bufferevent *bev, void *) {
  bufferevent_read_buffer(bev, bufferevent_get_output(bev));
}

void CountOne(struct bufferevent *, void *num) {
  ++*static_cast<int64_t *>(num);
}

void BM_Echo(benchmark::State &state) {
  const std::vector<TcpPair> pairs = ManyPairs(state.range(0));
  if (!AreOpen(state, pairs)) return;
  Base base;
  int64_t num_written = 0;
  std::vector<struct bufferevent *> bevs;
  for (const TcpPair &pair : pairs) {
    bevs.push_back(bufferevent_socket_new(base, pair.server(), 0));
    bufferevent_setcb(bevs.back(), Echo, CountOne, nullptr, &num_written);
    bufferevent_enable(bevs.back(), EV_READ);
  }
  event_base_loop(base, EVLOOP_NONBLOCK);
  for (auto _ : state) {
    num_written = 0;
    for (const TcpPair &pair : pairs) SendMessage(pair.client());
    while (num_written < state.range(0)) base.RunOnce();
    for (const TcpPair &pair : pairs) ReceiveMessage(pair.client());
  }
  for (struct bufferevent *bev : bevs) bufferevent_free(bev);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Echo)->ArgName("connections")->Arg(1)->Arg(64);

void EchoWaiting(int epoll_fd, int64_t num_messages) {
  epoll_event events[64];
  char message[4096];
  while (num_messages > 0) {
    const int num_events = epoll_wait(epoll_fd, events, 64, -1);
    for (int i = 0; i < num_events; i++) {
      const ssize_t len = recv(events[i].data.fd, message, sizeof(message), 0);
      if (len > 0 && send(events[i].data.fd, message, static_cast<size_t>(len), 0) == len)
        num_messages--;
    }
  }
}

void BM_EchoKernel(benchmark::State &state) {
  const std::vector<TcpPair> pairs = ManyPairs(state.range(0));
  if (!AreOpen(state, pairs)) return;
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  for (const TcpPair &pair : pairs) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = pair.server();
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pair.server(), &event);
  }
  for (auto _ : state) {
    for (const TcpPair &pair : pairs) SendMessage(pair.client());
    EchoWaiting(epoll_fd, state.range(0));
    for (const TcpPair &pair : pairs) ReceiveMessage(pair.client());
  }
  close(epoll_fd);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_EchoKernel)->ArgName("connections")->Arg(1)->Arg(64);

// --- Bulk: one bufferevent sends, another takes ---

void Discard(struct bufferevent *bev, void *received) {
  struct evbuffer *input = bufferevent_get_input(bev);
  const size_t len = evbuffer_get_length(input);
  *static_cast<size_t *>(received) += len;
  evbuffer_drain(input, len);
}

void BM_Bulk(benchmark::State &state) {
  const std::vector<TcpPair> pairs = ManyPairs(1);
  if (!AreOpen(state, pairs)) return;
  const std::string block(kBlockLen, 'x');
  Base base;
  size_t received = 0;
  evutil_make_socket_nonblocking(pairs[0].client());
  struct bufferevent *sender = bufferevent_socket_new(base, pairs[0].client(), 0);
  struct bufferevent *receiver = bufferevent_socket_new(base, pairs[0].server(), 0);
  for (struct bufferevent *bev : {sender, receiver}) {
    bufferevent_set_max_single_read(bev, kBlockLen);
    bufferevent_set_max_single_write(bev, kBlockLen);
  }
  bufferevent_setcb(receiver, Discard, nullptr, nullptr, &received);
  bufferevent_enable(receiver, EV_READ);
  for (auto _ : state) {
    received = 0;
    for (size_t len = 0; len < kBulkLen; len += kBlockLen)
      evbuffer_add_reference(bufferevent_get_output(sender), block.data(), kBlockLen, nullptr,
                             nullptr);
    while (received < kBulkLen) base.RunOnce();
  }
  bufferevent_free(sender);
  bufferevent_free(receiver);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBulkLen));
}
BENCHMARK(BM_Bulk);

void BM_BulkKernel(benchmark::State &state) {
  const std::vector<TcpPair> pairs = ManyPairs(1);
  if (!AreOpen(state, pairs)) return;
  std::string block(kBlockLen, 'x');
  for (auto _ : state) {
    for (size_t len = 0; len < kBulkLen; len += kBlockLen) {
      if (send(pairs[0].client(), block.data(), kBlockLen, 0) != static_cast<ssize_t>(kBlockLen))
        state.SkipWithError("short write");
      while (recv(pairs[0].server(), &block[0], kBlockLen, 0) > 0) {
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBulkLen));
}
BENCHMARK(BM_BulkKernel);

// --- Churn: connect, one exchange, close ---

// An echo server with a count of what it has done.
class Server {
 public:
  explicit Server(struct event_base *base) : base_(base) {
    evconnlistener_set_cb(listener_, OnAccept, this);
  }
  ~Server() { evconnlistener_free(listener_); }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  TcpListener *socket() { return &socket_; }
  int64_t num_answers = 0, num_closed = 0;

 private:
  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    auto *server = static_cast<Server *>(arg);
    struct bufferevent *bev = bufferevent_socket_new(server->base_, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(bev, Echo, OnWritten, OnEvent, server);
    bufferevent_enable(bev, EV_READ);
  }
  static void OnWritten(struct bufferevent *, void *arg) {
    static_cast<Server *>(arg)->num_answers++;
  }
  static void OnEvent(struct bufferevent *bev, short, void *arg) {
    static_cast<Server *>(arg)->num_closed++;
    bufferevent_free(bev);
  }

  struct event_base *base_;
  TcpListener socket_;
  struct evconnlistener *listener_ = evconnlistener_new(base_, OnAccept, this, 0, 0, socket_.fd());
};

void BM_Churn(benchmark::State &state) {
  Base base;
  Server server(base);
  for (auto _ : state) {
    const int fd = server.socket()->Connect();
    const int64_t num_answers = server.num_answers, num_closed = server.num_closed;
    if (!SendMessage(fd)) {
      state.SkipWithError("cannot connect");
      break;
    }
    while (server.num_answers == num_answers) base.RunOnce();
    ReceiveMessage(fd);
    close(fd);
    while (server.num_closed == num_closed) base.RunOnce();
  }
}
BENCHMARK(BM_Churn);

// The least that a server has to do: not even waiting.
void BM_ChurnKernel(benchmark::State &state) {
  TcpListener listener;
  for (auto _ : state) {
    const int client = listener.Connect();
    const int server = listener.Accept(SOCK_NONBLOCK);
    if (!SendMessage(client) || !ReceiveMessage(server) || !SendMessage(server) ||
        !ReceiveMessage(client)) {
      state.SkipWithError("cannot connect");
      break;
    }
    close(client);
    char end;
    if (recv(server, &end, 1, 0) != 0) state.SkipWithError("no end of data");
    close(server);
  }
}
BENCHMARK(BM_ChurnKernel);

// What accepting and closing alone cost.
void BM_AcceptCloseKernel(benchmark::State &state) {
  TcpListener listener;
  for (auto _ : state) {
    const int client = listener.Connect();
    const int server = listener.Accept(SOCK_NONBLOCK);
    if (client < 0 || server < 0) state.SkipWithError("cannot connect");
    close(client);
    close(server);
  }
}
BENCHMARK(BM_AcceptCloseKernel);

// A bufferevent is the client as well.
struct Client {
  bool is_done = false;
  static void OnRead(struct bufferevent *bev, void *arg) {
    if (evbuffer_get_length(bufferevent_get_input(bev)) < kMessageLen) return;
    static_cast<Client *>(arg)->is_done = true;
    bufferevent_free(bev);
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    if (what & BEV_EVENT_CONNECTED) return;
    static_cast<Client *>(arg)->is_done = true;
    bufferevent_free(bev);
  }
};

void BM_ChurnBothEnds(benchmark::State &state) {
  static const char message[kMessageLen] = {};
  Base base;
  Server server(base);
  for (auto _ : state) {
    Client client;
    const int64_t num_closed = server.num_closed;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    const sockaddr_in &address = server.socket()->NextAddress();
    bufferevent_setcb(bev, Client::OnRead, nullptr, Client::OnEvent, &client);
    bufferevent_enable(bev, EV_READ);
    bufferevent_write(bev, message, kMessageLen);
    bufferevent_socket_connect(bev, reinterpret_cast<const sockaddr *>(&address), sizeof(address));
    while (!client.is_done || server.num_closed == num_closed) base.RunOnce();
  }
}
BENCHMARK(BM_ChurnBothEnds);

void BM_NewEnableFree(benchmark::State &state) {
  const std::vector<TcpPair> pairs = ManyPairs(1);
  if (!AreOpen(state, pairs)) return;
  Base base;
  for (auto _ : state) {
    struct bufferevent *bev = bufferevent_socket_new(base, pairs[0].server(), 0);
    bufferevent_enable(bev, EV_READ);
    bufferevent_free(bev);
    event_base_loop(base, EVLOOP_NONBLOCK);
  }
}
BENCHMARK(BM_NewEnableFree);

// --- Pairs and filters: a message there and back, no kernel in between ---

void Drain(struct bufferevent *bev, void *) {
  struct evbuffer *input = bufferevent_get_input(bev);
  evbuffer_drain(input, evbuffer_get_length(input));
}

// As a codec has it: bytes go through memory of its own.
enum bufferevent_filter_result Translate(struct evbuffer *source, struct evbuffer *destination,
                                         ev_ssize_t, enum bufferevent_flush_mode, void *) {
  char block[4096];
  int len;
  while ((len = evbuffer_remove(source, block, sizeof(block))) > 0)
    evbuffer_add(destination, block, static_cast<size_t>(len));
  return BEV_OK;
}

enum Over { kPair, kNullFilter, kTranslator };

void BM_PairEcho(benchmark::State &state) {
  static const char message[kBlockLen] = {};
  const int64_t over = state.range(0);
  const size_t len = static_cast<size_t>(state.range(1));
  const bufferevent_filter_cb function = over == kTranslator ? Translate : nullptr;
  Base base;
  struct bufferevent *pair[2];
  bufferevent_pair_new(base, 0, pair);
  struct bufferevent *near = pair[0];
  if (over != kPair)
    near = bufferevent_filter_new(pair[0], function, function, BEV_OPT_CLOSE_ON_FREE, nullptr,
                                  nullptr);
  bufferevent_setcb(near, Drain, nullptr, nullptr, nullptr);
  bufferevent_setcb(pair[1], Echo, nullptr, nullptr, nullptr);
  bufferevent_enable(near, EV_READ);
  bufferevent_enable(pair[1], EV_READ);
  for (auto _ : state) {
    bufferevent_write(near, message, len);
    event_base_loop(base, EVLOOP_NONBLOCK);
  }
  bufferevent_free(near);
  bufferevent_free(pair[1]);
  state.SetBytesProcessed(state.iterations() * 2 * state.range(1));
}
BENCHMARK(BM_PairEcho)
    ->ArgNames({"over", "len"})
    ->ArgsProduct({{kPair, kNullFilter, kTranslator}, {64, 16384}});

// --- Memory ---

std::string Describe(const CountedMemory &memory, int64_t num_bevs) {
  return std::to_string(memory.heap_bytes / num_bevs) + " bytes in " +
         std::to_string(memory.num_blocks / num_bevs) + " blocks";
}

// The label says what an idle bufferevent holds, new and after it has echoed a message. Memory that
// the base has by descriptor is there already: earlier ones have used the descriptors. (A label,
// because the CSV of the smoke test can't take counters that only some benchmarks have.)
void BM_IdleMemory(benchmark::State &state) {
  constexpr int64_t kNumBevs = 200;
  const std::vector<TcpPair> pairs = ManyPairs(kNumBevs);
  if (!AreOpen(state, pairs)) return;
  Base base;
  int64_t num_written = 0;
  std::vector<struct bufferevent *> bevs(kNumBevs);
  const auto open = [&] {
    for (size_t i = 0; i < bevs.size(); i++) {
      bevs[i] = bufferevent_socket_new(base, pairs[i].server(), 0);
      bufferevent_setcb(bevs[i], Echo, CountOne, nullptr, &num_written);
      bufferevent_enable(bevs[i], EV_READ);
    }
    event_base_loop(base, EVLOOP_NONBLOCK);
  };
  const auto close = [&] {
    for (struct bufferevent *bev : bevs) bufferevent_free(bev);
    event_base_loop(base, EVLOOP_NONBLOCK);
  };
  open();
  close();
  for (auto _ : state) {
    counted_memory = CountedMemory();
    counted_memory.is_counting = true;
    open();
    const CountedMemory opened = counted_memory;
    num_written = 0;
    for (const TcpPair &pair : pairs) SendMessage(pair.client());
    while (num_written < kNumBevs) base.RunOnce();
    for (const TcpPair &pair : pairs) ReceiveMessage(pair.client());
    const CountedMemory used = counted_memory;
    counted_memory.is_counting = false;
    close();
    state.SetLabel(Describe(opened, kNumBevs) + "; after use " + Describe(used, kNumBevs));
  }
}
BENCHMARK(BM_IdleMemory)->Iterations(1);

}  // namespace
