# bash completion; tests/lint/completion holds it against --help
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = completion/zcmig
