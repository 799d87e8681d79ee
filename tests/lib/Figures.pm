# SPDX-License-Identifier: GPL-2.0-or-later
# What measurements do with their figures.
package Figures;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(median say_what_disturbs);

# Of numbers; of an even number of them the mean of both middle ones; of none undef.
sub median { my @sorted = sort { $a <=> $b } @_; return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : undef }

# Says on standard error what of this machine will be measured along (docs/benchmarking.md).
sub say_what_disturbs
{
    my $order = '/sys/module/page_reporting/parameters/page_reporting_order';
    open my $file, '<', $order or return;
    chomp(my $value = <$file> // '');
    print STDERR "warning: freed memory goes back to the hypervisor ($order is $value), and what runs next "
        . "pays for it: docs/benchmarking.md\n" if $value =~ /^\d+$/ && $value <= 10;
}

1;
