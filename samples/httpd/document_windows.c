#include "samples/httpd/document.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <event2/http.h>

#include "samples/httpd/windows_name.h"

#include <windows.h> /* after winsock2.h */
#include <winternl.h>

/* Not in every winternl.h. */
#define STATUS_NAME_NOT_FOUND ((NTSTATUS)0xC0000034)
#define STATUS_PATH_NOT_FOUND ((NTSTATUS)0xC000003A)
#define STATUS_NAME_INVALID ((NTSTATUS)0xC0000033)
#define STATUS_NO_SUCH ((NTSTATUS)0xC000000F)
#define STATUS_NOT_PERMITTED ((NTSTATUS)0xC0000022)
#define STATUS_SHARED_BY_NOBODY ((NTSTATUS)0xC0000043)
#define STATUS_BEING_DELETED ((NTSTATUS)0xC0000056)
#define STATUS_NOT_DIRECTORY ((NTSTATUS)0xC0000103)

/* Others may go on writing, renaming and deleting, as on POSIX. */
enum { kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

static int fd_of(HANDLE handle) {
  int fd = _open_osfhandle((intptr_t)handle, _O_RDONLY | _O_BINARY | _O_NOINHERIT);
  if (fd < 0) CloseHandle(handle);
  return fd;
}

static HANDLE handle_of(int fd) {
  return (HANDLE)_get_osfhandle(fd);
}

/* UTF-8 as UTF-16, for free(); NULL when it is not UTF-8, or memory ran out. */
static WCHAR *widen(const char *text, int *out_len) {
  int text_len = (int)strlen(text);
  WCHAR *wide = malloc(((size_t)text_len + 1) * sizeof(*wide));
  if (wide == NULL) return NULL;
  *out_len = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, text_len, wide, text_len);
  if (text_len > 0 && *out_len == 0) {
    free(wide);
    return NULL;
  }
  wide[*out_len] = L'\0';
  return wide;
}

int document_root_open(struct document_root *out_root, const char *path, bool follow_symlinks) {
  out_root->follow_symlinks = follow_symlinks;
  out_root->fd = -1;
  /* The command line comes in the program's code page. Backup semantics: CreateFile()'s way to
   * open a directory. */
  HANDLE handle = CreateFileA(path, FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                              kShareAll, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  FILE_BASIC_INFO info;
  if (handle == INVALID_HANDLE_VALUE) {
    errno = ENOENT;
    return -1;
  }
  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)) ||
      !(info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY)) {
    CloseHandle(handle);
    errno = ENOTDIR;
    return -1;
  }
  out_root->fd = fd_of(handle);
  return out_root->fd < 0 ? -1 : 0;
}

void document_root_close(struct document_root *root) {
  _close(root->fd);
  root->fd = -1;
}

/* ---- Opening ---- */

/* Relative to an open directory, NtCreateFile() takes names as they are in the file system: no
 * drives, no devices, nothing dropped from the end. */
static NTSTATUS open_at(HANDLE directory, WCHAR *name, int name_len, ULONG options,
                        HANDLE *out_handle) {
  UNICODE_STRING text = {(USHORT)((size_t)name_len * sizeof(WCHAR)),
                         (USHORT)((size_t)name_len * sizeof(WCHAR)), name};
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  InitializeObjectAttributes(&attributes, &text, OBJ_CASE_INSENSITIVE, directory, NULL);
  return NtCreateFile(out_handle, FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attributes,
                      &status, NULL, 0, kShareAll, FILE_OPEN,
                      options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

/* 0 when the file is itself, not a link, mount point or the like. */
static int refuse_link(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO info;
  if (!GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof(info)))
    return HTTP_INTERNAL;
  return info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ? 403 : 0;
}

static int status_of(NTSTATUS status) {
  switch (status) {
    case STATUS_NAME_NOT_FOUND:
    case STATUS_PATH_NOT_FOUND:
    case STATUS_NAME_INVALID:
    case STATUS_NO_SUCH:
    case STATUS_BEING_DELETED:
    case STATUS_NOT_DIRECTORY:
      return HTTP_NOTFOUND;
    case STATUS_NOT_PERMITTED:
    case STATUS_SHARED_BY_NOBODY:
      return 403;
    default:
      return HTTP_INTERNAL;
  }
}

/* Opens `component` below `*handle`, which it replaces, or closes after an error. */
static int step(HANDLE *handle, const char *component, bool must_be_directory,
                bool follow_symlinks) {
  int name_len, result;
  HANDLE next = NULL;
  WCHAR *name = windows_name_is_plain(component) ? widen(component, &name_len) : NULL;
  if (name == NULL || name_len > MAX_PATH) {
    result = HTTP_NOTFOUND;
  } else {
    ULONG options = (must_be_directory ? FILE_DIRECTORY_FILE : 0) |
                    (follow_symlinks ? 0 : FILE_OPEN_REPARSE_POINT);
    NTSTATUS status = open_at(*handle, name, name_len, options, &next);
    result = status >= 0 ? 0 : status_of(status);
  }
  free(name);
  CloseHandle(*handle);
  if (result == 0 && !follow_symlinks) {
    result = refuse_link(next);
    if (result != 0) CloseHandle(next);
  }
  *handle = next;
  return result;
}

/* A component at a time, each opened below the one before it: no link can be slipped in between a
 * check and its use. An empty relative name opens the directory itself once more. */
static int open_beneath(const struct document_root *root, const char *name, HANDLE *out_handle) {
  WCHAR nothing[1] = L"";
  NTSTATUS status = open_at(handle_of(root->fd), nothing, 0, 0, out_handle);
  if (status < 0) return status_of(status);
  char *copy = strdup(name);
  if (copy == NULL) {
    CloseHandle(*out_handle);
    return HTTP_SERVUNAVAIL;
  }
  int result = 0;
  char *rest = *copy == '\0' ? NULL : copy;
  while (result == 0 && rest != NULL) {
    char *component = rest;
    rest = strchr(rest, '/');
    if (rest != NULL) *rest++ = '\0';
    result = step(out_handle, component, rest != NULL, root->follow_symlinks);
  }
  free(copy);
  return result;
}

/* From 100 ns since 1601. */
static struct timespec time_of(LARGE_INTEGER time) {
  const int64_t kFrom1601To1970 = 116444736000000000;
  int64_t since_1970 = time.QuadPart - kFrom1601To1970;
  if (since_1970 < 0) since_1970 = 0;
  struct timespec result;
  result.tv_sec = (time_t)(since_1970 / 10000000);
  result.tv_nsec = (long)(since_1970 % 10000000 * 100);
  return result;
}

static int describe(HANDLE handle, struct document *out_document) {
  FILE_BASIC_INFO basic;
  FILE_STANDARD_INFO standard;
  if (GetFileType(handle) != FILE_TYPE_DISK) return 403;
  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &basic, sizeof(basic)) ||
      !GetFileInformationByHandleEx(handle, FileStandardInfo, &standard, sizeof(standard)))
    return HTTP_INTERNAL;
  out_document->is_directory = standard.Directory;
  out_document->size = (uint64_t)standard.EndOfFile.QuadPart;
  out_document->modified = time_of(basic.LastWriteTime);
  return 0;
}

int document_open(const struct document_root *root, const char *name,
                  struct document *out_document) {
  HANDLE handle;
  int status = open_beneath(root, name, &handle);
  if (status != 0) return status;
  status = describe(handle, out_document);
  if (status != 0) {
    CloseHandle(handle);
    return status;
  }
  out_document->fd = fd_of(handle);
  return out_document->fd < 0 ? HTTP_SERVUNAVAIL : 0;
}
