# the zcmig command
