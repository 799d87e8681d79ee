# SPDX-License-Identifier: GPL-2.0-or-later
# What the measurements that count a guest's instructions share (cost-of-zero-copy,
# well-known-experiment).  A case in tests/lab/cost prints a line "COST WORD=VALUE ..." ahead of each
# thing to be counted, which makes two marks (tests/lab/mark.h).
package Counted;
use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Figures;

our @EXPORT = qw(counted gnuplot median skip write_json);

my $here    = dirname(__FILE__);
my $scratch = tempdir('zccost-XXXXXX', TMPDIR => 1, CLEANUP => 1);
(my $program = $0) =~ s{.*/}{};

sub skip { print "skipped: @_\n"; exit 77 }

sub lines_of
{
    my ($path) = @_;
    open my $file, '<', $path or die "$program: $path: $!\n";
    return map { s/\r?\n$//r } <$file>;
}

# Boots a kernel with so many MiB of memory, runs the case, and returns a hash for each COST line: its
# words, the instructions
# "kernel" and "user", and "output", what was printed meanwhile.
sub counted
{
    my ($kernel, $case, $mib, $qemu_options) = @_;
    my $plugin = ($ENV{ZC_BUILDDIR} // '.') . '/tests/lab/.libs/insn-count.so';
    skip("$plugin is not built: run make lab-cost") unless -e $plugin;
    my $marks = "$scratch/$kernel.marks";
    local $ENV{ZC_LAB_LOGS} = "$scratch/logs";
    local $ENV{ZC_LAB_TIMEOUT} = $ENV{ZC_LAB_TIMEOUT} // 1500;
    my $code = system("$here/run", '-k', $kernel, '-d', "$here/cost", '-m', $mib, '-q',
                      "$qemu_options -plugin $plugin,out=$marks", $case) >> 8;
    skip('the guest could not be started') if $code == 77;
    die "$program: the guest failed\n" if $code != 0;

    my @marks = grep { defined } map { /^MARK kernel=(\d+) user=(\d+)/ ? [$1, $2] : undef } lines_of($marks);
    my @costs;
    for my $line (lines_of("$scratch/logs/$kernel-$case.log")) {
        if ($line =~ /^COST /) {
            push @costs, { $line =~ /(\w+)=(\S+)/g, output => [] };
        } elsif (@costs) {
            push @{$costs[-1]{output}}, $line;
        }
    }
    die "$program: " . @marks . ' marks of ' . 2 * @costs . "\n" if @marks != 2 * @costs || !@costs;
    for my $i (0 .. $#costs) {
        $costs[$i]{kernel} = $marks[2 * $i + 1][0] - $marks[2 * $i][0];
        $costs[$i]{user} = $marks[2 * $i + 1][1] - $marks[2 * $i][1];
    }
    return @costs;
}

sub write_json
{
    my ($path, $data) = @_;
    open my $file, '>', $path or die "$program: $path: $!\n";
    print $file JSON::PP->new->canonical->pretty->encode($data);
    close $file or die "$program: $path: $!\n";
    print "figures: $path\n";
}

# Draws into BASE.svg and BASE.png; the commands come after those for terminal and output.
sub gnuplot
{
    my ($base, $commands) = @_;
    if (!grep { -x "$_/gnuplot" } split /:/, $ENV{PATH}) {
        print "no plot: gnuplot is missing\n";
        return;
    }
    for my $kind (qw(svg png)) {
        my $terminal = $kind eq 'png' ? 'pngcairo' : 'svg';
        open my $gnuplot, '|-', 'gnuplot' or die "$program: gnuplot: $!\n";
        print $gnuplot "set terminal $terminal size 800,480 background '#ffffff'\nset output '$base.$kind'\n", $commands;
        close $gnuplot or die "$program: gnuplot failed\n";
        print "plot: $base.$kind\n";
    }
}

1;
