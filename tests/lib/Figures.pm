# SPDX-License-Identifier: GPL-2.0-or-later
# What measurements do with their figures.
package Figures;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(median);

# Of numbers; of an even number of them the mean of both middle ones; of none undef.
sub median { my @sorted = sort { $a <=> $b } @_; return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : undef }

1;
