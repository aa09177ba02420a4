#include "http/parse_result.h"

struct result_text {
  int status;
  const char *name;
};

static const struct result_text kTexts[EVHTTP_PARSE_NUM_RESULTS] = {
    [EVHTTP_PARSE_DONE] = {0, "done"},
    [EVHTTP_PARSE_PARTIAL] = {0, "partial"},
    [EVHTTP_PARSE_BARE_CR] = {400, "bare-cr"},
    [EVHTTP_PARSE_BARE_LF] = {400, "bare-lf"},
    [EVHTTP_PARSE_EXTRA_LINE] = {400, "extra-line"},
    [EVHTTP_PARSE_FOLDED_LINE] = {400, "folded-line"},
    [EVHTTP_PARSE_BAD_METHOD] = {400, "bad-method"},
    [EVHTTP_PARSE_BAD_TARGET] = {400, "bad-target"},
    [EVHTTP_PARSE_BAD_VERSION] = {400, "bad-version"},
    [EVHTTP_PARSE_BAD_STATUS] = {400, "bad-status"},
    [EVHTTP_PARSE_BAD_REASON] = {400, "bad-reason"},
    [EVHTTP_PARSE_VERSION_UNSUPPORTED] = {505, "version-unsupported"},
    [EVHTTP_PARSE_METHOD_TOO_LONG] = {501, "method-too-long"},
    [EVHTTP_PARSE_TARGET_TOO_LONG] = {414, "target-too-long"},
    [EVHTTP_PARSE_EMPTY_FIELD_NAME] = {400, "empty-field-name"},
    [EVHTTP_PARSE_BAD_FIELD_NAME] = {400, "bad-field-name"},
    [EVHTTP_PARSE_SPACE_BEFORE_COLON] = {400, "space-before-colon"},
    [EVHTTP_PARSE_BAD_FIELD_VALUE] = {400, "bad-field-value"},
    [EVHTTP_PARSE_HEAD_TOO_LARGE] = {431, "head-too-large"},
    [EVHTTP_PARSE_TOO_MANY_FIELDS] = {431, "too-many-fields"},
    [EVHTTP_PARSE_BAD_CONTENT_LENGTH] = {400, "bad-content-length"},
    [EVHTTP_PARSE_REPEATED_CONTENT_LENGTH] = {400, "repeated-content-length"},
    [EVHTTP_PARSE_LENGTH_AND_CODING] = {400, "length-and-coding"},
    [EVHTTP_PARSE_CODING_IN_HTTP10] = {400, "coding-in-http10"},
    [EVHTTP_PARSE_BAD_TRANSFER_CODING] = {400, "bad-transfer-coding"},
    [EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING] = {501, "unknown-transfer-coding"},
    [EVHTTP_PARSE_MISSING_HOST] = {400, "missing-host"},
    [EVHTTP_PARSE_REPEATED_HOST] = {400, "repeated-host"},
    [EVHTTP_PARSE_BAD_HOST] = {400, "bad-host"},
    [EVHTTP_PARSE_BAD_TARGET_FORM] = {400, "bad-target-form"},
    [EVHTTP_PARSE_UNKNOWN_EXPECTATION] = {417, "unknown-expectation"},
    [EVHTTP_PARSE_BODY_TOO_LARGE] = {413, "body-too-large"},
    [EVHTTP_PARSE_BAD_CHUNK_SIZE] = {400, "bad-chunk-size"},
    [EVHTTP_PARSE_CHUNK_SIZE_OVERFLOW] = {400, "chunk-size-overflow"},
    [EVHTTP_PARSE_BAD_CHUNK_EXTENSION] = {400, "bad-chunk-extension"},
    [EVHTTP_PARSE_CHUNK_LINE_TOO_LONG] = {400, "chunk-line-too-long"},
    [EVHTTP_PARSE_CHUNK_EXTENSIONS_TOO_LARGE] = {400, "chunk-extensions-too-large"},
    [EVHTTP_PARSE_BAD_CHUNK_END] = {400, "bad-chunk-end"},
};

static int is_result(enum evhttp_parse_result result) {
  return (unsigned)result < EVHTTP_PARSE_NUM_RESULTS;
}

int evhttp_parse_error_status(enum evhttp_parse_result result) {
  return is_result(result) ? kTexts[result].status : 500;
}

const char *evhttp_parse_error_name(enum evhttp_parse_result result) {
  return is_result(result) ? kTexts[result].name : "unknown";
}
