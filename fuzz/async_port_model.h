// Async bufferevents over a scripted port, used as the input says, against byte strings. The input
// also says in what order operations end, and how: with few bytes or many, the end of the data, an
// error, a cancellation; which launches fail, and which allocations. What a socket brought must
// come out in order, once, and no more of it than was brought; what the program put must go out in
// order, once; and in the end, when nothing fails any more, all of it. The sockets are real, and
// nothing is done with them: a descriptor that an operation is in flight on must be open.
#ifndef STRATA_FUZZ_ASYNC_PORT_MODEL_H_
#define STRATA_FUZZ_ASYNC_PORT_MODEL_H_

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fuzz/model.h"
#include "util/testing/counting_memory.h"

extern "C" {
#include "backends/sim/scripted_port.h"
#include "util/clock.h"
}

namespace async_port_model {

using fuzz_model::Source;

constexpr size_t kMaxConns = 4;
constexpr size_t kMaxUnmoved = 60000;  // A connection's bytes per direction.
constexpr int kMaxDepth = 3;           // Of actions inside callbacks of actions.

// Errors that tell where they come from.
constexpr int kReceiveError = ECONNRESET, kSendError = EPIPE, kRefusal = ENOBUFS;

class Model;

// How its present socket's data ended, which is to be told after the bytes.
enum End { kNoEnd, kEof, kError };

struct Conn {
  Model *model;
  int number;
  struct bufferevent *bev;  // nullptr: freed.
  int options;
  evutil_socket_t fd = -1;  // Its present socket, which the model may have to close.
  std::string arrived;      // Brought by the present socket and not in the input yet.
  std::string input;        // In the input.
  std::string put;          // By the program, and not sent yet.
  std::string ended;        // Of these, what the kernel took, but was not told of.
  End end = kNoEnd;
  int end_error = 0;
  int num_write_errors = 0;  // Of sends, that may be told.
  int num_ends = 0;          // Ends that may be told, by deferred callbacks late.
  size_t read_low = 0, read_high = 0, write_low = 0;
  size_t max_read = 0;  // At a time; 0: as the library likes.
  bool has_timeouts = false;
  bool must_tell_read = false, must_tell_write = false;
};

class Model {
 public:
  explicit Model(Source &source);
  ~Model();
  void Step();
  void Finish();

 private:
  size_t Choose(size_t limit) { return source_.Choose(limit); }
  size_t ChooseLen();
  std::string Bytes(size_t len);
  Conn *ChooseConn();
  evutil_socket_t NewSocket();

  void NewConn();
  void Act();
  void MaybeAct(size_t one_in);
  void Write(Conn *conn);
  void Take(Conn *conn, size_t len);
  void SetLimit(Conn *conn);
  void SetFd(Conn *conn);
  void Replace(Conn *conn);
  void GiveUpSocket(Conn *conn);
  void Free(Conn *conn);

  void NotePending();
  void EndSome();
  void EndReceive(struct event_operation *operation, Conn *conn);
  void EndSend(struct event_operation *operation, Conn *conn);
  void Bring(struct event_operation *operation, Conn *conn, size_t len);
  void TakeFrom(struct event_operation *operation, Conn *conn, size_t len);
  void Fail(struct event_operation *operation, int error);
  void EndAllForGood();
  bool IsAllMoved() const;
  void CheckConn(Conn *conn);
  void CheckAll();
  void CheckEvent(Conn *conn, short what, int error);
  void RunOnce();
  void RunFor(int64_t ns);

  static void OnInput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg);
  static void OnOutput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg);
  static void OnRead(struct bufferevent *bev, void *arg);
  static void OnWrite(struct bufferevent *bev, void *arg);
  static void OnEvent(struct bufferevent *bev, short what, void *arg);

  Source &source_;
  struct strata_sim *sim_ = strata_sim_new();
  struct strata_scripted_port *port_;
  struct event_base *base_;
  struct evbuffer *taken_ = evbuffer_new();  // Input that was moved away whole.
  std::vector<std::unique_ptr<Conn>> conns_;
  std::vector<struct ev_token_bucket_cfg *> cfgs_;
  std::map<long, Conn *> known_;         // The pending operations, by their numbers.
  std::set<long> stale_;                 // Of these, on sockets that were given up.
  std::set<evutil_socket_t> own_fds_;    // That the model has to close in the end.
  std::set<evutil_socket_t> given_fds_;  // That the library has closed, or will.
  unsigned char next_byte_ = 0;
  int action_depth_ = 0;
  bool is_finishing_ = false, has_lacked_memory_ = false;
};

}  // namespace async_port_model

#endif
