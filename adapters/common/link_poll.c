/* link_poll: see link_poll.h. */
#include "common/link_poll.h"

#include "base/clock.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum eg_rc eg_link_poll_open(struct eg_link_poll *p, struct eg_err *err)
{
	struct epoll_event in = {.events = EPOLLIN};
	*p = (struct eg_link_poll){.fd = epoll_create1(EPOLL_CLOEXEC),
	                           .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
	                           .flag = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, p->timer, &in) == 0 &&
	    epoll_ctl(p->fd, EPOLL_CTL_ADD, p->flag, &in) == 0)
		return EG_OK;
	return eg_fail_errno(err, "the descriptors of a link");
}

void eg_link_poll_close(struct eg_link_poll *p)
{
	const int all[] = {p->fd, p->timer, p->flag};
	for (unsigned i = 0; i < 3; i++)
		if (all[i] >= 0)
			close(all[i]);
}

void eg_link_poll_add(struct eg_link_poll *p, int fd)
{
	epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
}

void eg_link_poll_drop(struct eg_link_poll *p, int fd)
{
	epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
}

void eg_link_poll_arm(struct eg_link_poll *p, bool more, int64_t due)
{
	uint64_t count = 1;
	if (more && !p->raised)
		p->raised = write(p->flag, &count, sizeof count) == (ssize_t)sizeof count;
	else if (!more && p->raised)
		p->raised = read(p->flag, &count, sizeof count) != (ssize_t)sizeof count;
	if (due == p->armed)
		return;
	p->armed = due;
	timerfd_settime(p->timer, TFD_TIMER_ABSTIME,
	                &(struct itimerspec){.it_value = eg_mono_deadline(due > 0 ? due : 1)}, NULL);
}
