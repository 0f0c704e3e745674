/* http_settings: the rows that the settings of an HTTP source and of an HTTP target have in common. */
#ifndef EG_ADAPTERS_HTTP_SETTINGS_H
#define EG_ADAPTERS_HTTP_SETTINGS_H

#include "eldergate/settings.h"

/* What is asked and how it is signed. */
#define EG_HTTP_REQUEST_SETTINGS                                                                             \
	{"url", EG_SET_TEXT, true, NULL, 8, 2000, NULL, "where to ask; ${names} are filled in"},             \
	        {"plain_http",                                                                               \
	         EG_SET_BOOL,                                                                                \
	         false,                                                                                      \
	         "false",                                                                                    \
	         0,                                                                                          \
	         0,                                                                                          \
	         NULL,                                                                                       \
	         "allows http://, which carries records and secrets in clear"},                              \
	        {"query", EG_SET_LIST, false, NULL, 0, 50, NULL, "query parameters, each name=value"},       \
	        {"headers", EG_SET_LIST, false, NULL, 0, 50, NULL, "headers, each \"Name: value\""},         \
	        {"body", EG_SET_TEXT, false, "", 0, 65536, NULL, "the request's body; empty: none"},         \
	        {"body_format",                                                                              \
	         EG_SET_CHOICE,                                                                              \
	         false,                                                                                      \
	         "json",                                                                                     \
	         0,                                                                                          \
	         0,                                                                                          \
	         "json|xml|form",                                                                            \
	         "how values are escaped in the body, and its Content-Type"},                                \
	        {"rid", EG_SET_TEXT, false, "", 0, 200, NULL, "${rid}: who asks"},                           \
	        {"sid", EG_SET_TEXT, false, "", 0, 200, NULL, "${sid}: the service that is asked"},          \
	        {"secret", EG_SET_SECRET, false, "",                                                         \
	         0,        4096,          NULL,  "key of the signature, or a token as ${secret}"},           \
	        {"sign",                                                                                     \
	         EG_SET_CHOICE,                                                                              \
	         false,                                                                                      \
	         "none",                                                                                     \
	         0,                                                                                          \
	         0,                                                                                          \
	         "none|hmac-sha256|hmac-sm3",                                                                \
	         "what makes ${sign}"},                                                                      \
	        {"sign_text", EG_SET_TEXT, false, "${sid}${rid}${rtime}",                                    \
	         0,           2000,        NULL,  "what is signed; ${body} too"},                            \
	        {"sign_form", EG_SET_CHOICE, false, "base64", 0, 0, "base64|hex", "how ${sign} is written"}, \
	        {"sign_time", EG_SET_CHOICE,                                                                 \
	         false,       "ms",                                                                          \
	         0,           0,                                                                             \
	         "ms|s",      "${rtime}: milliseconds or seconds since 1970"},                               \
	{                                                                                                    \
		"sign_headers", EG_SET_LIST, false,                                                          \
		        "gjgxjhpt_rid: ${rid},gjgxjhpt_sid: ${sid},gjgxjhpt_rtime: ${rtime},gjgxjhpt_sign: " \
		        "${sign}",                                                                           \
		        0, 20, NULL, "headers that a signature adds"                                         \
	}

/* How a new secret is fetched before the old one ends. */
#define EG_HTTP_SECRET_SETTINGS                                                                              \
	{"renew_url",                                                                                        \
	 EG_SET_TEXT,                                                                                        \
	 false,                                                                                              \
	 "",                                                                                                 \
	 0,                                                                                                  \
	 2000,                                                                                               \
	 NULL,                                                                                               \
	 "where a new secret is fetched at the start and before the last one ends; signed with `secret`"},   \
	        {"renew_method", EG_SET_CHOICE, false, "POST", 0, 0, "GET|POST", "method of the renewal"},   \
	        {"renew_query", EG_SET_LIST, false, NULL, 0, 50, NULL, "as query, of the renewal"},          \
	        {"renew_headers", EG_SET_LIST, false, NULL, 0, 50, NULL, "as headers, of the renewal"},      \
	        {"renew_body", EG_SET_TEXT, false, "", 0, 65536, NULL, "as body, of the renewal"},           \
	        {"renew_secret_path",                                                                        \
	         EG_SET_TEXT,                                                                                \
	         false,                                                                                      \
	         "/data/secret",                                                                             \
	         1,                                                                                          \
	         200,                                                                                        \
	         NULL,                                                                                       \
	         "where the new secret stands in the answer"},                                               \
	        {"renew_expiry_path",                                                                        \
	         EG_SET_TEXT,                                                                                \
	         false,                                                                                      \
	         "",                                                                                         \
	         0,                                                                                          \
	         200,                                                                                        \
	         NULL,                                                                                       \
	         "where its end stands in the answer; empty: renew_every"},                                  \
	        {"renew_expiry",                                                                             \
	         EG_SET_CHOICE,                                                                              \
	         false,                                                                                      \
	         "seconds",                                                                                  \
	         0,                                                                                          \
	         0,                                                                                          \
	         "seconds|minutes|at-s|at-ms",                                                               \
	         "what the end is: from now, or an instant since 1970"},                                     \
	        {"renew_every", EG_SET_TIME,      false, "15m",                                              \
	         1000000,       30 * 86400000000, NULL,  "life of a secret whose answer names no end"},      \
	        {"renew_before",                                                                             \
	         EG_SET_TIME,                                                                                \
	         false,                                                                                      \
	         "1m",                                                                                       \
	         0,                                                                                          \
	         86400000000,                                                                                \
	         NULL,                                                                                       \
	         "how long before its end a secret is renewed"},                                             \
	{                                                                                                    \
		"secret_file", EG_SET_TEXT, false, "", 0, 1000, NULL,                                        \
		        "keeps the renewed secret over restarts, mode 0600; empty: in memory only"           \
	}

/* How an answer is read and judged. */
#define EG_HTTP_ANSWER_SETTINGS                                                                              \
	{"answer_format", EG_SET_CHOICE, false, "json", 0, 0, "json|xml", "what the answer is"},             \
	        {"content_types",                                                                            \
	         EG_SET_LIST,                                                                                \
	         false,                                                                                      \
	         NULL,                                                                                       \
	         0,                                                                                          \
	         20,                                                                                         \
	         NULL,                                                                                       \
	         "media types taken as that; preset: every one that names json or xml"},                     \
	        {"inner_format",                                                                             \
	         EG_SET_CHOICE,                                                                              \
	         false,                                                                                      \
	         "none",                                                                                     \
	         0,                                                                                          \
	         0,                                                                                          \
	         "none|json|xml",                                                                            \
	         "the answer's document stands as text in another: what the inner one is"},                  \
	        {"inner_path",                                                                               \
	         EG_SET_TEXT,                                                                                \
	         false,                                                                                      \
	         "",                                                                                         \
	         0,                                                                                          \
	         200,                                                                                        \
	         NULL,                                                                                       \
	         "where that text stands; all other paths are of the inner document"},                       \
	        {"charset", EG_SET_TEXT,                                                                     \
	         false,     "",                                                                              \
	         0,         40,                                                                              \
	         NULL,      "of the answer, whatever it says itself; empty: as it says, else UTF-8"},        \
	        {"code_path",                                                                                \
	         EG_SET_TEXT,                                                                                \
	         false,                                                                                      \
	         "",                                                                                         \
	         0,                                                                                          \
	         200,                                                                                        \
	         NULL,                                                                                       \
	         "where the answer's own result code stands; empty: the HTTP status alone counts"},          \
	        {"ok_codes", EG_SET_LIST, false, "0,200", 0, 50, NULL, "codes of success"},                  \
	        {"exists_codes", EG_SET_LIST, false, NULL, 0, 50, NULL, "codes that say: delivered before"}, \
	        {"retry_codes", EG_SET_LIST, false, NULL, 0, 50, NULL, "codes that say: try again later"},   \
	        {"auth_codes",                                                                               \
	         EG_SET_LIST,                                                                                \
	         false,                                                                                      \
	         NULL,                                                                                       \
	         0,                                                                                          \
	         50,                                                                                         \
	         NULL,                                                                                       \
	         "codes that say: the secret or signature is not good"},                                     \
	{                                                                                                    \
		"quota_codes", EG_SET_LIST, false, NULL, 0, 50, NULL, "codes that say: no more calls today"  \
	}

/* What the peer may cost. */
#define EG_HTTP_LIMIT_SETTINGS                                                                                \
	{"connect_timeout",                                                                                   \
	 EG_SET_TIME,                                                                                         \
	 false,                                                                                               \
	 "10s",                                                                                               \
	 10000,                                                                                               \
	 600000000,                                                                                           \
	 NULL,                                                                                                \
	 "to resolve the name, connect and shake hands"},                                                     \
	        {"timeout", EG_SET_TIME, false, "60s", 10000, 3600000000, NULL, "a whole exchange"},          \
	        {"slow_bytes",                                                                                \
	         EG_SET_SIZE,                                                                                 \
	         false,                                                                                       \
	         "100",                                                                                       \
	         0,                                                                                           \
	         1 << 30,                                                                                     \
	         NULL,                                                                                        \
	         "bytes a second below which, over slow_time, an exchange is given up; 0: never"},            \
	        {"slow_time", EG_SET_TIME, false, "20s", 1000000, 3600000000, NULL, "see slow_bytes"},        \
	        {"max_response", EG_SET_SIZE, false, "16MiB",                                                 \
	         1024,           256 << 20,   NULL,  "longest answer's body; a longer one is cut off"},       \
	        {"redirects", EG_SET_INT, false, "0",                                                         \
	         0,           5,          NULL,  "redirects followed for GET, within the same host only"},    \
	        {"proxy", EG_SET_TEXT, false, "", 0, 500, NULL, "HTTP proxy; the environment's are ignored"}, \
	        {"ca_file", EG_SET_TEXT,                                                                      \
	         false,     "",                                                                               \
	         0,         1000,                                                                             \
	         NULL,      "authorities that sign the peer's certificate, PEM; empty: the system's"},        \
	        {"client_certificate", EG_SET_TEXT, false, "", 0, 1000, NULL, "our certificate, PEM"},        \
	        {"client_key", EG_SET_TEXT, false, "", 0, 1000, NULL, "its key, PEM"},                        \
	        {"retries", EG_SET_INT, false, "4", 0, 20, NULL, "of one request, before it is an error"},    \
	        {"retry_first", EG_SET_TIME,                                                                  \
	         false,         "500ms",                                                                      \
	         1000,          3600000000,                                                                   \
	         NULL,          "pause before the first retry; doubles, and varies by half"},                 \
	        {"retry_max", EG_SET_TIME, false, "30s", 1000, 3600000000, NULL, "longest such pause"},       \
	        {"retry_after_max",                                                                           \
	         EG_SET_TIME,                                                                                 \
	         false,                                                                                       \
	         "10m",                                                                                       \
	         1000,                                                                                        \
	         86400000000,                                                                                 \
	         NULL,                                                                                        \
	         "longest pause that the peer's Retry-After can ask for"},                                    \
	        {"rate_per_second", EG_SET_INT, false, "0", 0, 10000, NULL, "calls a second; 0: no limit"},   \
	        {"rate_burst", EG_SET_INT, false, "1", 1, 10000, NULL, "calls at once after a pause"},        \
	        {"calls_per_day",                                                                             \
	         EG_SET_INT,                                                                                  \
	         false,                                                                                       \
	         "0",                                                                                         \
	         0,                                                                                           \
	         1000000000,                                                                                  \
	         NULL,                                                                                        \
	         "calls from midnight to midnight, Asia/Shanghai; 0: no limit"},                              \
	{                                                                                                     \
		"calls_reserved", EG_SET_INT, false, "0", 0, 1000000000, NULL,                                \
		        "of them kept from full lists"                                                        \
	}

#define EG_HTTP_PEER_SETTINGS                                                                                \
	EG_HTTP_REQUEST_SETTINGS, EG_HTTP_SECRET_SETTINGS, EG_HTTP_ANSWER_SETTINGS, EG_HTTP_LIMIT_SETTINGS

#endif
