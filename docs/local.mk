# the manual pages; tests/lint/man-options holds them against --help
dist_man_MANS += \
	docs/man/zcmig.1 \
	docs/man/zcmig-bench.1 \
	docs/man/zcmig-demo.1 \
	docs/man/zcmig-digest.1 \
	docs/man/zcmig-doctor.1 \
	docs/man/zcmig-recv.1 \
	docs/man/zcmig-relay.1 \
	docs/man/zcmig-send.1 \
	docs/man/zcmig-show.1 \
	docs/man/zcmig-verify.1

# The guides, as many as there are.
dist-hook:
	for guide in README.md $(srcdir)/docs/*.md; do \
	  name=$${guide#$(srcdir)/}; \
	  test ! -e "$(srcdir)/$$name" || cp -p "$(srcdir)/$$name" "$(distdir)/$$name" || exit 1; \
	done

EXTRA_DIST += docs/figures/cost.svg docs/figures/cost.png docs/figures/live.svg
