#include <event2/tag.h>

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include <event2/buffer.h>

#include "util/memory.h"

/* 7 bits a byte. */
#define MAX_TAG_LEN 5
/* Half a byte for the count, then 8 or 16 groups of half a byte. */
#define MAX_INT32_LEN 5
#define MAX_INT64_LEN 9
#define MAX_INT32_GROUPS 8
#define MAX_INT64_GROUPS 16
#define MAX_HEAD_LEN (MAX_TAG_LEN + MAX_INT32_LEN)
/* The most that numbers in a record's content take: a timeval's two. */
#define MAX_NUMBERS_LEN (2 * MAX_INT32_LEN)

void evtag_init(void) {}

/* ---- The wire ---- */

/* Both return how many bytes they wrote. */
static size_t encode_tag(unsigned char *out, uint32_t tag) {
  size_t len = 0;
  while (tag > 0x7f) {
    out[len++] = (unsigned char)(0x80 | (tag & 0x7f));
    tag >>= 7;
  }
  out[len++] = (unsigned char)tag;
  return len;
}

static size_t encode_int(unsigned char *out, uint64_t number) {
  unsigned num_groups = 1;
  out[0] = (unsigned char)(number & 0xf);
  for (number >>= 4; number > 0; number >>= 4, num_groups++) {
    unsigned char *at = &out[(num_groups + 1) / 2];
    if (num_groups % 2) {
      *at = (unsigned char)((number & 0xf) << 4);
    } else {
      *at = (unsigned char)(*at | (number & 0xf));
    }
  }
  out[0] = (unsigned char)(out[0] | ((num_groups - 1) << 4));
  return num_groups / 2 + 1;
}

/* Both return how many bytes they read, 0 for an error. */
static size_t decode_tag(const unsigned char *bytes, size_t len, uint32_t *out_tag) {
  uint64_t tag = 0;
  size_t i;
  if (len > MAX_TAG_LEN) len = MAX_TAG_LEN;
  for (i = 0; i < len; i++) {
    tag |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
    if (bytes[i] & 0x80) continue;
    if (tag > UINT32_MAX) return 0;
    *out_tag = (uint32_t)tag;
    return i + 1;
  }
  return 0;
}

static size_t decode_int(const unsigned char *bytes, size_t len, unsigned max_groups,
                         uint64_t *out_number) {
  uint64_t number = 0;
  unsigned num_groups, i;
  if (len == 0) return 0;
  num_groups = (bytes[0] >> 4) + 1u;
  if (num_groups > max_groups || num_groups / 2 + 1 > len) return 0;
  for (i = 0; i < num_groups; i++) {
    unsigned char pair = bytes[(i + 1) / 2];
    number |= (uint64_t)(i % 2 ? pair >> 4 : pair & 0xf) << (4 * i);
  }
  *out_number = number;
  return num_groups / 2 + 1;
}

/* ---- Writing ---- */

static size_t encode_head(unsigned char *out, uint32_t tag, uint32_t len) {
  size_t tag_len = encode_tag(out, tag);
  return tag_len + encode_int(out + tag_len, len);
}

void evtag_encode_int(struct evbuffer *evbuf, ev_uint32_t number) {
  evtag_encode_int64(evbuf, number);
}

void evtag_encode_int64(struct evbuffer *evbuf, ev_uint64_t number) {
  unsigned char bytes[MAX_INT64_LEN];
  (void)evbuffer_add(evbuf, bytes, encode_int(bytes, number));
}

void evtag_marshal(struct evbuffer *evbuf, ev_uint32_t tag, const void *data, ev_uint32_t len) {
  unsigned char head[MAX_HEAD_LEN];
  struct evbuffer_iovec vec[2];
  vec[0].iov_base = head;
  vec[0].iov_len = encode_head(head, tag, len);
  vec[1].iov_base = (void *)(uintptr_t)data;
  vec[1].iov_len = len;
  (void)evbuffer_add_iovec(evbuf, vec, len > 0 ? 2 : 1);
}

void evtag_marshal_buffer(struct evbuffer *evbuf, ev_uint32_t tag, struct evbuffer *data) {
  unsigned char head[MAX_HEAD_LEN];
  size_t len = evbuffer_get_length(data), head_len;
  if (len > UINT32_MAX) return;
  head_len = encode_head(head, tag, (uint32_t)len);
  if (len == 0) {
    (void)evbuffer_add(evbuf, head, head_len);
    return;
  }
  /* In front of the bytes, since it can be taken back there if they cannot be moved. */
  if (evbuffer_prepend(data, head, head_len) < 0) return;
  if (evbuffer_add_buffer(evbuf, data) < 0) (void)evbuffer_drain(data, head_len);
}

void evtag_marshal_int(struct evbuffer *evbuf, ev_uint32_t tag, ev_uint32_t integer) {
  evtag_marshal_int64(evbuf, tag, integer);
}

void evtag_marshal_int64(struct evbuffer *evbuf, ev_uint32_t tag, ev_uint64_t integer) {
  unsigned char bytes[MAX_INT64_LEN];
  evtag_marshal(evbuf, tag, bytes, (uint32_t)encode_int(bytes, integer));
}

void evtag_marshal_string(struct evbuffer *buf, ev_uint32_t tag, const char *string) {
  size_t len = strlen(string);
  if (len <= UINT32_MAX) evtag_marshal(buf, tag, string, (uint32_t)len);
}

void evtag_marshal_timeval(struct evbuffer *evbuf, ev_uint32_t tag, struct timeval *tv) {
  unsigned char bytes[MAX_NUMBERS_LEN];
  size_t len = encode_int(bytes, (uint32_t)tv->tv_sec);
  len += encode_int(bytes + len, (uint32_t)tv->tv_usec);
  evtag_marshal(evbuf, tag, bytes, (uint32_t)len);
}

/* ---- Reading ---- */

/* What is known of the first record without taking anything off the buffer. */
struct record {
  uint32_t tag;
  uint32_t content_len;
  size_t head_len;
  /* The head, and as much of the content as fits and has arrived. */
  unsigned char bytes[MAX_HEAD_LEN + MAX_NUMBERS_LEN];
  size_t numbers_len; /* how much of the content is there */
};

/* -1 unless the head has arrived. */
static int look(struct evbuffer *evbuf, struct record *out_record) {
  ev_ssize_t copied_len = evbuffer_copyout(evbuf, out_record->bytes, sizeof(out_record->bytes));
  size_t bytes_len, tag_len, len_len;
  uint64_t len;
  if (copied_len <= 0) return -1;
  bytes_len = (size_t)copied_len;
  tag_len = decode_tag(out_record->bytes, bytes_len, &out_record->tag);
  if (tag_len == 0) return -1;
  len_len = decode_int(out_record->bytes + tag_len, bytes_len - tag_len, MAX_INT32_GROUPS, &len);
  if (len_len == 0) return -1;
  out_record->content_len = (uint32_t)len;
  out_record->head_len = tag_len + len_len;
  out_record->numbers_len = bytes_len - out_record->head_len;
  if (out_record->numbers_len > len) out_record->numbers_len = (size_t)len;
  return 0;
}

/* -1 unless all has arrived. */
static int look_whole(struct evbuffer *evbuf, struct record *out_record) {
  if (look(evbuf, out_record) < 0 || out_record->content_len > INT_MAX) return -1;
  if (evbuffer_get_length(evbuf) - out_record->head_len < out_record->content_len) return -1;
  return 0;
}

/* -1 unless all has arrived and the tag is this. */
static int look_for(struct evbuffer *evbuf, uint32_t need_tag, struct record *out_record) {
  if (look_whole(evbuf, out_record) < 0 || out_record->tag != need_tag) return -1;
  return 0;
}

/* Takes off a record that was looked at. Cannot fail: the front is not frozen, or the record
 * could not have been seen. */
static void take_off(struct evbuffer *evbuf, const struct record *record) {
  (void)evbuffer_drain(evbuf, record->head_len + record->content_len);
}

static int copy_content(struct evbuffer *evbuf, const struct record *record, void *out_data) {
  struct evbuffer_ptr start;
  if (record->content_len == 0) return 0;
  if (evbuffer_ptr_set(evbuf, &start, record->head_len, EVBUFFER_PTR_SET) < 0) return -1;
  if (evbuffer_copyout_from(evbuf, &start, out_data, record->content_len) !=
      (ev_ssize_t)record->content_len) {
    return -1;
  }
  return 0;
}

int evtag_peek(struct evbuffer *evbuf, ev_uint32_t *ptag) {
  unsigned char bytes[MAX_TAG_LEN];
  uint32_t tag;
  ev_ssize_t bytes_len = evbuffer_copyout(evbuf, bytes, sizeof(bytes));
  size_t tag_len = bytes_len > 0 ? decode_tag(bytes, (size_t)bytes_len, &tag) : 0;
  if (tag_len == 0) return -1;
  if (ptag) *ptag = tag;
  return (int)tag_len;
}

int evtag_peek_length(struct evbuffer *evbuf, ev_uint32_t *plength) {
  struct record record;
  if (look(evbuf, &record) < 0 || record.content_len > UINT32_MAX - record.head_len) return -1;
  *plength = (uint32_t)record.head_len + record.content_len;
  return 0;
}

int evtag_payload_length(struct evbuffer *evbuf, ev_uint32_t *plength) {
  struct record record;
  if (look(evbuf, &record) < 0) return -1;
  *plength = record.content_len;
  return 0;
}

int evtag_unmarshal_header(struct evbuffer *evbuf, ev_uint32_t *ptag) {
  struct record record;
  if (look_whole(evbuf, &record) < 0) return -1;
  if (ptag) *ptag = record.tag;
  (void)evbuffer_drain(evbuf, record.head_len);
  return (int)record.content_len;
}

static int append_content(struct evbuffer *src, const struct record *record, struct evbuffer *dst) {
  struct evbuffer_iovec vec;
  if (record->content_len == 0) return 0;
  if (evbuffer_reserve_space(dst, (ev_ssize_t)record->content_len, &vec, 1) < 0) return -1;
  if (copy_content(src, record, vec.iov_base) < 0) return -1;
  vec.iov_len = record->content_len;
  return evbuffer_commit_space(dst, &vec, 1);
}

int evtag_unmarshal(struct evbuffer *src, ev_uint32_t *ptag, struct evbuffer *dst) {
  struct record record;
  if (look_whole(src, &record) < 0 || append_content(src, &record, dst) < 0) return -1;
  if (ptag) *ptag = record.tag;
  take_off(src, &record);
  return (int)record.content_len;
}

int evtag_consume(struct evbuffer *evbuf) {
  struct record record;
  if (look_whole(evbuf, &record) < 0) return -1;
  take_off(evbuf, &record);
  return 0;
}

/* Returns how many bytes of the content the number takes, -1 for an error. */
static int unmarshal_number(struct evbuffer *evbuf, uint32_t need_tag, unsigned max_groups,
                            uint64_t *out_number) {
  struct record record;
  size_t len;
  if (look_for(evbuf, need_tag, &record) < 0) return -1;
  len = decode_int(record.bytes + record.head_len, record.numbers_len, max_groups, out_number);
  if (len == 0) return -1;
  take_off(evbuf, &record);
  return (int)len;
}

int evtag_unmarshal_int(struct evbuffer *evbuf, ev_uint32_t need_tag, ev_uint32_t *pinteger) {
  uint64_t number;
  int len = unmarshal_number(evbuf, need_tag, MAX_INT32_GROUPS, &number);
  if (len > 0) *pinteger = (uint32_t)number;
  return len;
}

int evtag_unmarshal_int64(struct evbuffer *evbuf, ev_uint32_t need_tag, ev_uint64_t *pinteger) {
  uint64_t number;
  int len = unmarshal_number(evbuf, need_tag, MAX_INT64_GROUPS, &number);
  if (len > 0) *pinteger = number;
  return len;
}

int evtag_unmarshal_fixed(struct evbuffer *src, ev_uint32_t need_tag, void *data, size_t len) {
  struct record record;
  if (look_for(src, need_tag, &record) < 0 || record.content_len != len) return -1;
  if (copy_content(src, &record, data) < 0) return -1;
  take_off(src, &record);
  return 0;
}

int evtag_unmarshal_string(struct evbuffer *evbuf, ev_uint32_t need_tag, char **pstring) {
  struct record record;
  char *string;
  if (look_for(evbuf, need_tag, &record) < 0) return -1;
  string = strata_malloc((size_t)record.content_len + 1);
  if (!string) return -1;
  if (copy_content(evbuf, &record, string) < 0) {
    strata_free(string);
    return -1;
  }
  string[record.content_len] = '\0';
  *pstring = string;
  take_off(evbuf, &record);
  return 0;
}

int evtag_unmarshal_timeval(struct evbuffer *evbuf, ev_uint32_t need_tag, struct timeval *ptv) {
  struct record record;
  uint64_t seconds, microseconds;
  const unsigned char *bytes;
  size_t len;
  if (look_for(evbuf, need_tag, &record) < 0) return -1;
  bytes = record.bytes + record.head_len;
  len = decode_int(bytes, record.numbers_len, MAX_INT32_GROUPS, &seconds);
  if (len == 0) return -1;
  if (decode_int(bytes + len, record.numbers_len - len, MAX_INT32_GROUPS, &microseconds) == 0) {
    return -1;
  }
  ptv->tv_sec = (uint32_t)seconds;
  ptv->tv_usec = (uint32_t)microseconds;
  take_off(evbuf, &record);
  return 0;
}
