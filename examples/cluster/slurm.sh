#!/bin/bash
#SBATCH --job-name=kto
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --output=kto-%j.log
# One process for each GPU, which sees it alone where Slurm constrains devices. Three minutes before the time is up the run writes a checkpoint and ends, and the job is queued again.
set -u
PATH=$PWD/node_modules/.bin:$PATH
srun --mpi=pmix --cpus-per-task="$SLURM_CPUS_PER_TASK" kto train kto.yaml --resume_from_checkpoint true &
step=$!
requeue=no
stop() {
  requeue=yes
  scancel --signal=TERM "$SLURM_JOB_ID.0" # the processes, and not this script
}
trap stop USR1
wait "$step"
status=$?
if [ "$requeue" = yes ]; then
  wait "$step" # the signal ended the first wait, and not the run
  status=$?
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
