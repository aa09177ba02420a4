#include "loop/attachment.h"

#include "loop/base.h"
#include "util/log.h"

static void *find(const struct event_base_attachments *attachments, const void *key) {
  for (int i = 0; i < attachments->num_entries; i++)
    if (attachments->entries[i].key == key) return attachments->entries[i].data;
  return NULL;
}

static void *make_entry(struct event_base_attachments *attachments, const void *key,
                        void *(*make)(void), void (*release)(void *data)) {
  strata_assert(attachments->num_entries < EVENT_BASE_MAX_ATTACHMENTS);
  void *data = make();
  if (data) {
    struct event_base_attachment entry = {key, data, release};
    attachments->entries[attachments->num_entries++] = entry;
  }
  return data;
}

void *event_base_get_attachment(struct event_base *base, const void *key, void *(*make)(void),
                                void (*release)(void *data)) {
  event_base_lock(base);
  void *data = find(&base->attachments, key);
  if (!data) data = make_entry(&base->attachments, key, make, release);
  event_base_unlock(base);
  return data;
}
