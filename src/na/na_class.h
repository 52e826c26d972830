/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What a provider implements; na.h says what each does. */
#pragma once

#include <string.h>
#include "na/na.h"

/** For who cannot send from two places, or not now. */
static inline void
na_msg_fetch_late(struct na_msg *msg)
{
	if (msg->late_bytes == 0)
		return;
	memcpy(msg->data + msg->len, msg->late, msg->late_bytes);
	msg->len += msg->late_bytes;
	msg->late_bytes = 0;
}

struct na_class {
	const char *name;
	bool (*match)(const char *provider);
	int  (*open)(const struct na_attr *attr, struct na **ret_na);
	void (*close)(struct na *na);

	int  (*ep_open)(struct na *na, const struct na_ep_attr *attr, struct na_ep **ret_ep);
	void (*ep_stop)(struct na_ep *ep);
	void (*ep_close)(struct na_ep *ep);
	int  (*ep_uri)(struct na_ep *ep, char *buf, size_t buf_bytes);
	const void *(*ep_name)(struct na_ep *ep, size_t *ret_bytes);
	int  (*ep_progress)(struct na_ep *ep, uint32_t event_nr);
	int  (*ep_fd)(struct na_ep *ep);
	bool (*ep_arm)(struct na_ep *ep);
	bool (*ep_busy)(struct na_ep *ep);
	uint32_t (*ep_repoll_us)(struct na_ep *ep);

	int  (*addr_insert)(struct na_ep *ep, const char *uri, na_addr_t *ret_addr);
	int  (*addr_insert_name)(struct na_ep *ep, const void *name, size_t bytes,
				 na_addr_t *ret_addr);

	struct na_msg *(*msg_get)(struct na_ep *ep);
	void (*msg_put)(struct na_ep *ep, struct na_msg *msg);
	void (*msg_send)(struct na_ep *ep, na_addr_t to, struct na_msg *msg);

	int  (*mr_create)(struct na_ep *ep, void *buf, size_t bytes, unsigned access,
			  struct na_mr **ret_mr, struct na_mr_remote *ret_remote);
	void (*mr_destroy)(struct na_ep *ep, struct na_mr *mr);
	void (*rma_start)(struct na_ep *ep, struct na_rma *rma);
};

struct na_local;

/** First member of every provider's. */
struct na {
	const struct na_class *cls;
	char                   provider[32]; /**< as in URIs */
	uint32_t               host;         /**< na_host(); set by na_open() */
};
struct na_ep {
	const struct na_class *cls;
	struct na_local       *local; /**< links; NULL: none. Set by na_ep_open() */
};

extern const struct na_class na_self_class;
extern const struct na_class na_ofi_class;
